"""What `import hachat` offers is a promise to the authors of handlers."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hachat

ROOT = Path(__file__).parents[1]


def test_names() -> None:
    """These names, and no others, are public."""
    assert hachat.__all__ == [
        *("Anybody", "Confirm", "Context", "Duration", "Handle", "Handler", "Markdown", "Message"),
        *("Refused", "Reply", "Response", "Retry", "Room", "User", "__version__"),
        *("command", "every", "hear", "hook", "job", "middleware", "on", "startup"),
    ]
    assert all(getattr(hachat, name) for name in hachat.__all__)


def test_unknown_name() -> None:
    """A misspelt name is an ordinary error."""
    with pytest.raises(AttributeError, match="comand"):
        _ = hachat.comand  # type: ignore[attr-defined]


def test_version() -> None:
    """The package says the version it is published under."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert hachat.__version__ == project["version"]


def test_import_is_light() -> None:
    """Importing the package loads none of what it is made of: `hachat release` has milliseconds."""
    code = (
        "import sys, hachat; sys.exit(bool({'trio', 'structlog', 'msgspec'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
