"""docs/testing.md keeps its word: the tests it shows are run, by pytest, as their reader would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run a module of tests in a folder of its own, with nothing but the settings the page names."""
    (folder / "pytest.ini").write_text("[pytest]\ntrio_mode = true\n")
    (folder / "greeter.py").write_text((ROOT / "examples" / "greeter.py").read_text())
    (folder / "test_it.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    return subprocess.run(
        [*command, str(folder)], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_the_tests_of_the_page_pass(code: str, tmp_path: Path) -> None:
    """As they stand."""
    done = run(tmp_path, code)
    assert done.returncode == 0, done.stdout


def test_the_first_is_the_example() -> None:
    """Who copies the file has what the page shows."""
    assert BLOCKS[0] == (ROOT / "examples" / "test_greeter.py").read_text()


def test_a_failure_is_readable(tmp_path: Path) -> None:
    """The trace of the handler that failed is shown, and what was said instead."""
    code = BLOCKS[0].replace("from greeter import Greeter", BROKEN)
    done = run(tmp_path, code)
    assert done.returncode == 1
    assert "ValueError: out of greetings" in done.stdout
    assert "Sorry, that went wrong" in done.stdout
    assert done.stdout.count("\n") < 120, done.stdout


BROKEN = """
from hachat import Context, Handler, command


class Greeter(Handler):
    @command(r"greet (?P<name>\\w+)")
    async def greet(self, ctx: Context, name: str) -> None:
        raise ValueError("out of greetings")

"""
