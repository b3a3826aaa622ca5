"""Pages that show whole files keep their word: the files are made, in the tutorial step by step, and their tests are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_main import hachat

PAGES = ("tutorial", "wording", "from-lita", "from-hubot", "from-errbot")
DOCS = Path(__file__).parents[2] / "docs"
_FILE = re.compile(r"```(?:python|jinja|po)\n# (\S+)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_each_step_works(page: str, tmp_path: Path) -> None:
    """A new bot, with the files of each step, passes its tests."""
    text = (DOCS / f"{page}.md").read_text()
    steps = text.split("\n## ")[1:] if page == "tutorial" else [text]
    made = hachat("new", "bot", "marvin", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    for step in steps:
        for name, content in _FILE.findall(step):
            file = tmp_path / "marvin" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(content)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            command, cwd=tmp_path / "marvin", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{step.splitlines()[0]}\n{done.stdout}"


@pytest.mark.parametrize("page", PAGES)
def test_every_file_has_its_place(page: str) -> None:
    """No block of code is left out of the test."""
    text = (DOCS / f"{page}.md").read_text()
    assert len(_FILE.findall(text)) == len(re.findall("```(?:python|jinja|po)", text))
