"""`hachat backup` and `hachat restore`, as a user runs them."""

from __future__ import annotations

import gzip
import re
import stat
from pathlib import Path

import pytest

from hachat.core import backup
from hachat.store.backup import Archive
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.memory import Change, Memory
from tests.cli.running import Place
from tests.store.test_backup import RECORDS

PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text()


async def remember(link: Link, keys: Keys) -> None:
    """Have a handler remember something."""
    await Memory(link, keys).change("karma", Change("ada", "set", b"12"))


async def recall(link: Link, keys: Keys) -> bytes | None:
    """Return what it remembers."""
    return (await Memory(link, keys).read("karma", ["ada"]))[0]


async def forget(link: Link, keys: Keys) -> None:
    """Lose it."""
    await Memory(link, keys).change("karma", Change("ada", "delete"))


@pytest.mark.parametrize("name", ["bot.backup", "bot.backup.gz"])
def test_what_was_lost_comes_back(place: Place, tmp_path: Path, name: str) -> None:
    """Out of a file that nobody else may read, compressed if its name says so; a second time changes nothing."""
    file = tmp_path / name
    place.do(remember)
    made = place.run("backup", str(file))
    assert (made.exit_code, made.output) == (0, f"{file}: 1 records\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (file.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
    place.do(forget)

    looked = place.run("restore", str(file), "--dry-run")
    assert looked.output.endswith("memory: 1\n")
    assert place.do(recall) is None

    done = place.run("restore", str(file))
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0].startswith(
        f"{file}: a backup of the cluster {place.keys.cluster} by"
    )
    assert done.output.splitlines()[1:] == ["memory: 1 written"]
    assert place.do(recall) == b"12"
    assert place.run("restore", str(file)).output.endswith("memory: 1 there already\n")


def test_standard_output_and_input(place: Place) -> None:
    """For pipes."""
    place.do(remember)
    text = place.run("backup", "-").stdout
    place.do(forget)
    done = place.run("restore", "-", typed=text)
    assert done.exit_code == 0, done.output
    assert place.do(recall) == b"12"


@pytest.mark.parametrize("cut", [2, 30, 120])
@pytest.mark.parametrize("packed", [True, False])
def test_a_file_that_is_cut_off_changes_nothing(
    place: Place, tmp_path: Path, cut: int, *, packed: bool
) -> None:
    """It is read whole first; what is wrong is told in a sentence."""
    file = tmp_path / ("b.gz" if packed else "b")
    place.do(remember)
    place.run("backup", str(file))
    place.do(forget)
    file.write_bytes(file.read_bytes()[:-cut])

    done = place.run("restore", str(file))

    assert done.exit_code == 2, done.output
    assert str(file) in done.output
    assert "Traceback" not in done.output
    assert place.do(recall) is None


def test_what_is_no_backup_is_refused(place: Place, tmp_path: Path) -> None:
    """With what it is not."""
    for data in (b"", b"hello\n", gzip.compress(b"hello\n"), b"\x1f\x8bnot really"):
        (tmp_path / "b").write_bytes(data)
        assert place.run("restore", str(tmp_path / "b")).exit_code == 2
    assert place.run("restore", str(tmp_path / "nowhere")).exit_code == 2
    assert place.run("backup", str(tmp_path / "no" / "folder")).exit_code == 2


def test_a_folder_keeps_no_halves(place: Place, tmp_path: Path) -> None:
    """Only the file stands there in the end."""
    folder = tmp_path / "backups"
    folder.mkdir()
    place.run("backup", str(folder / "b"))
    assert [file.name for file in folder.iterdir()] == ["b"]


async def fill(link: Link, keys: Keys) -> None:
    """Have one of each kind, and two that are remembered."""
    kinds = (backup.Value, backup.Met, backup.Member, backup.Place, backup.Timer)
    some = {kind: [one for one in RECORDS if isinstance(one, kind)] for kind in kinds}
    records = [*some[backup.Value], *(some[kind][0] for kind in kinds[1:])]
    await Archive(link, keys, ["irc", "console"]).write(records)


def test_the_page_shows_what_is_printed(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the name of the cluster and the time."""
    monkeypatch.chdir(tmp_path)
    place.configure('[chat.irc]\nhost = "127.0.0.1"\n')
    place.do(fill)
    shown = re.search(r"```console\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    printed = ""
    for line in shown[1].splitlines():
        if line.startswith("$ hachat "):
            printed += line + "\n" + place.run(*line.removeprefix("$ hachat ").split()).output
            if "backup bot" in line:
                place.do(forget)
    printed = printed.replace(f"cluster {place.keys.cluster}", "cluster hachat")
    assert re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-03-06 12:00:00", printed) == shown[1]
