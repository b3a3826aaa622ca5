"""docs/tutorial.md keeps its word: its files are made, one step after the other, and their tests are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.cli.test_main import hachat

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
STEPS = PAGE.split("\n## ")[1:]
_FILE = re.compile(r"```python\n# (\S+)\n(.*?)```", re.DOTALL)


def test_each_step_works(tmp_path: Path) -> None:
    """The bot of step one, with the files of each step, passes its tests."""
    made = hachat("new", "bot", "marvin", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    for step in STEPS:
        for name, text in _FILE.findall(step):
            (tmp_path / "marvin" / name).write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            command, cwd=tmp_path / "marvin", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{step.splitlines()[0]}\n{done.stdout}"


def test_every_file_has_its_place() -> None:
    """No block of Python is left out of the test."""
    assert len(_FILE.findall(PAGE)) == PAGE.count("```python")
