"""Pages that show whole files keep their word: the files are made, in the tutorial step by step, and their tests are run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest

from tests.cli.test_main import hachat
from tests.docs.test_testing import run

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


def test_what_curl_is_told_to_send_is_taken(tmp_path: Path) -> None:
    """By the handler that the step shows, through the door that a node has."""
    text = (DOCS / "tutorial.md").read_text()
    (step,) = [step for step in text.split("\n## ") if "\ncurl " in step]
    (command,) = re.findall(r"^curl (.*)$", step, re.MULTILINE)
    sent = ArgumentParser()
    sent.add_argument("-H", dest="header")
    sent.add_argument("-d", dest="body")
    sent.add_argument("url")
    options = sent.parse_args(shlex.split(command))
    _, path = options.url.split("/hooks")
    headers = dict([options.header.split(": ")])
    asked = f"assert (await bot.fetch('POST', {path!r}, {options.body.encode()!r}, {headers!r})).status == 202"
    files = dict(_FILE.findall(step))
    code = (
        files["handlers/deploys.py"]
        + f"""
from hachat.testing import Driver, handlers

@handlers(Deploys)
async def test_curl(bot: Driver) -> None:
    {asked}
"""
    )

    done = run(tmp_path, code)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_every_file_has_its_place(page: str) -> None:
    """No block of code is left out of the test."""
    text = (DOCS / f"{page}.md").read_text()
    assert len(_FILE.findall(text)) == len(re.findall("```(?:python|jinja|po)", text))
