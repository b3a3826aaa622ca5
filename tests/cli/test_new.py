"""The beginnings that `hachat new` makes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from hachat.cli.commands import main
from hachat.cli.new import KINDS


def make(*arguments: str) -> Result:
    """Run `hachat new` in this process, whose logging it leaves alone."""
    return run("new", *arguments)


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    with patch("hachat.daemon.logging.configure"):
        return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_of_what_is_made_pass(kind: str, tmp_path: Path) -> None:
    """As generated, in a folder of their own."""
    folder = tmp_path / "new"
    made = make(kind, "Karma of-us", "--folder", str(folder))
    assert made.exit_code == 0, made.output
    assert not [path for path in folder.rglob("*") if "$" in path.name or path.suffix == ".tmpl"]

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_a_bot_is_ready_to_run(tmp_path: Path) -> None:
    """Its settings are fine, and its handler loads."""
    folder = tmp_path / "bot"
    make("bot", "marvin", "--folder", str(folder))
    checked = run("check", "--config", str(folder / "hachat.toml"))
    assert checked.exit_code == 0, checked.output
    assert 'name = "marvin"' in checked.output
    assert (folder / ".gitignore").exists()


def test_packages_are_named_after_hachat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With or without the prefix in the name that is given; what it brings is an entry point."""
    monkeypatch.chdir(tmp_path)
    assert make("handler", "hachat-karma").exit_code == 0
    settings = Path("hachat-karma/pyproject.toml").read_text()
    assert 'karma = "hachat_karma:Karma"' in settings
    assert Path("hachat-karma/hachat_karma.py").exists()


def test_an_extension_is_there_where_it_is_installed(tmp_path: Path) -> None:
    """Found by its entry point, with all of its middleware, before a handler that is named by its path."""
    folder = tmp_path / "new"
    make("extension", "guard", "--folder", str(folder))
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    ((name, value),) = project["entry-points"]["hachat.handlers"].items()
    installed = folder / f"hachat_guard-{project['version']}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    (installed / "entry_points.txt").write_text(f"[hachat.handlers]\n{name} = {value}\n")

    code = (
        "from hachat.bot.loading import find_installed, load\n"
        "found = load([*find_installed(), 'hachat.bot.handlers.ping:Ping'],"
        " sections={'guard': {'closed': ['ping.ping']}})\n"
        "print(*found.faults, *(route.name for route in found.routes))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )

    assert done.stdout.split()[:3] == ["guard.listen", "guard.guard", "guard.hide"], done.stderr
    assert done.stdout.split()[3] == "ping.ping"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Not even a single file, and then nothing else is made."""
    (tmp_path / "README.md").write_text("mine")
    made = make("bot", "marvin", "--folder", str(tmp_path))
    assert made.exit_code == 2
    assert "README.md exists already" in made.output
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        ("bot", "../marvin", "is a path; --folder names one"),
        ("adapter", "irc", "is one of hachat's own"),
        ("adapter", "hachat-console", "is one of hachat's own"),
    ],
)
def test_a_name_that_would_mislead_is_refused(
    kind: str, name: str, why: str, tmp_path: Path
) -> None:
    """It would be made elsewhere, or never be used."""
    made = make(kind, name, "--folder", str(tmp_path / "x"))
    assert made.exit_code == 2
    assert why in made.output
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["", "7up", "--", "日本", "../.."])
def test_a_name_that_makes_no_module_is_refused(name: str, tmp_path: Path) -> None:
    """With what to write instead."""
    made = make("handler", "--folder", str(tmp_path / "x"), "--", name)
    assert made.exit_code == 2
    assert "write letters" in made.output
    assert not (tmp_path / "x").exists()
