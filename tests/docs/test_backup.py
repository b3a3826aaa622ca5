"""docs/backup.md keeps its word: its commands print what it shows, and its timers make a backup."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from hachat.cli.commands import main
from hachat.core.backup import Member, Met, Record, Timer, Value
from hachat.core.backup import Place as Joined
from hachat.core.known import Known
from hachat.store.embedded import Server
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.memory import Change, Memory
from hachat.store.people import Directory
from tests.bot.test_guide import blocks
from tests.cli.running import Place
from tests.store.backups import RECORDS, archive

PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text()
BACKUP, LOOK, LOST, MOVE = blocks(PAGE, "console")
IRC = '[chat.irc]\nhost = "127.0.0.1"\n'


async def fill(link: Link, keys: Keys) -> None:
    """Have one of each kind, and two that are remembered."""
    kinds: list[type[Record]] = [Member, Met, Joined, Timer]
    some = [next(one for one in RECORDS if isinstance(one, kind)) for kind in kinds]
    values = [one for one in RECORDS if isinstance(one, Value)]
    await archive(link, keys).write([*values, *some])


async def count_on(link: Link, keys: Keys) -> None:
    """Have a handler change one thing and forget another."""
    await Memory(link, keys).change("karma", Change("ada", "set", b"99"))
    await Memory(link, keys).change("todo", Change("list", "delete"))


async def meet_again(link: Link, keys: Keys) -> None:
    """Have somebody speak who is in the backup."""
    await Directory(link, keys, "users").note([Known("irc", "ada", "Ada", last=9000.0)])


@pytest.fixture
def cluster(tmp_path: Path, server: Server, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A cluster with something in each place, and a shell in a folder of its own."""
    place = Place(tmp_path, server, keys)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HACHAT_CONFIG", str(place.file))
    place.configure(IRC)
    place.do(fill)
    return place


def move(cluster: Place) -> None:
    """Have an empty Redis, as far as the cluster can see."""
    cluster.keys = Keys(f"{cluster.keys.cluster}-empty")
    cluster.configure(IRC)


def run(command: str) -> str:
    """Return what a line with `hachat`, and perhaps a pipe, prints."""
    output, typed = "", None
    for part in command.split(" | "):
        with patch("hachat.daemon.logging.configure"):
            done = CliRunner().invoke(main, shlex.split(part)[1:], input=typed)
        assert "Traceback" not in done.output
        output, typed = done.output, done.stdout
    return output


def perform(shown: str, name: str) -> str:
    """Return what the commands of a block print in the cluster `name`, at the time of the page."""
    printed = ""
    for line in re.findall(r"^\$ (.*)$", shown, re.MULTILINE):
        printed += f"$ {line}\n{run(line)}"
    printed = printed.replace(f"cluster {name} by", "cluster hachat by")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-03-06 12:00:00", printed)


def test_the_commands_print_what_the_page_shows(cluster: Place) -> None:
    """One after the other: a backup, something that changed since, a Redis that was lost."""
    name = cluster.keys.cluster
    assert perform(BACKUP, name) == BACKUP
    cluster.do(count_on)
    assert perform(LOOK, name) == LOOK

    move(cluster)
    cluster.do(meet_again)
    assert perform(LOST, name) == LOST


def test_a_cluster_moves(cluster: Place) -> None:
    """Through a pipe."""
    name = cluster.keys.cluster
    shutil.copy(cluster.file, "old.toml")
    move(cluster)
    shutil.copy(cluster.file, "new.toml")
    assert perform(MOVE, name) == MOVE


def read_unit() -> str:
    """Return the command of the service, as systemd hands it on."""
    unit = configparser.RawConfigParser()
    unit.read_string(*blocks(PAGE, "ini hachat-backup.service"))
    _, _, command = shlex.split(unit["Service"]["ExecStart"])
    return command.replace("$$", "$").replace("%%", "%")


def read_crontab() -> str:
    """Return the command of the crontab, as cron hands it on."""
    (line,) = blocks(PAGE, "crontab")
    return line.split(maxsplit=5)[5].replace("\\%", "%")


@pytest.mark.parametrize("read", [read_unit, read_crontab])
def test_each_night_a_backup_is_made(
    cluster: Place, tmp_path: Path, read: Callable[[], str]
) -> None:
    """Where hachat and its settings are elsewhere: it is named after the day, and whole."""
    command = (
        read()
        .replace("/opt/hachat/bin/hachat", f"{sys.executable} -m hachat")
        .replace("/etc/hachat/hachat.toml", str(cluster.file))
        .replace("/var/lib/hachat-backup", str(tmp_path))
    )
    subprocess.run(["/bin/sh", "-c", command], check=True, timeout=60)
    day = subprocess.run(["date", "+%a"], check=True, capture_output=True, text=True).stdout.strip()
    assert run(f"hachat restore {day}.backup.gz --dry-run").count("there already") == 5
