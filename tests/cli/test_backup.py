"""`hachat backup` and `hachat restore`, as a user runs them."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
import sys
import tracemalloc
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from hachat.core.backup import Header, Record, Value, write_line
from hachat.store.audit import Audit, Deed
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.memory import Change, Memory
from tests.cli.running import Place
from tests.store.backups import RECORDS, archive, read


async def remember(link: Link, keys: Keys) -> None:
    """Have a handler remember something."""
    await Memory(link, keys).change("karma", Change("ada", "set", b"12"))


async def count_on(link: Link, keys: Keys) -> None:
    """Have it remember something else."""
    await Memory(link, keys).change("karma", Change("ada", "set", b"99"))


async def recall(link: Link, keys: Keys) -> bytes | None:
    """Return what it remembers."""
    return (await Memory(link, keys).read("karma", ["ada"]))[0]


async def forget(link: Link, keys: Keys) -> None:
    """Lose it."""
    await Memory(link, keys).change("karma", Change("ada", "delete"))


async def fill(link: Link, keys: Keys) -> None:
    """Have some of each kind."""
    await archive(link, keys).write(RECORDS)


async def deeds(link: Link, keys: Keys) -> list[Deed]:
    """Return what is in the audit trail."""
    return await Audit(link, keys).read(10)


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
    assert looked.output.endswith("memory: 1 new\n")
    assert place.do(recall) is None

    done = place.run("restore", str(file))
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0].startswith(
        f"{file}: a backup of the cluster {place.keys.cluster} by"
    )
    assert done.output.splitlines()[1:] == ["memory: 1 written"]
    assert place.do(recall) == b"12"
    assert place.run("restore", str(file)).output.endswith("memory: 1 there already\n")


def test_a_backup_of_an_empty_redis_that_was_restored_is_the_same(
    place: Place, tmp_path: Path
) -> None:
    """But for its first line."""
    place.configure('[chat.irc]\nhost = "127.0.0.1"\n')
    place.do(fill)
    place.run("backup", str(tmp_path / "first"))
    cluster, place.keys = place.keys, Keys(f"{place.keys.cluster}-other")
    place.configure('[chat.irc]\nhost = "127.0.0.1"\n')
    assert place.run("restore", str(tmp_path / "first")).exit_code == 0
    place.run("backup", str(tmp_path / "second"))

    first, second = (
        (tmp_path / name).read_bytes().splitlines()[1:] for name in ("first", "second")
    )
    assert len(first) == len(RECORDS) + 1
    assert first == second
    assert place.keys != cluster


def test_what_is_different_is_not_touched_unasked(place: Place, tmp_path: Path) -> None:
    """How much that is is told, and what to say; nothing else is written either."""
    file = str(tmp_path / "b")
    place.do(fill)
    place.configure('[chat.irc]\nhost = "127.0.0.1"\n')
    place.run("backup", file)
    place.keys = Keys(f"{place.keys.cluster}-other")
    place.configure('[chat.irc]\nhost = "127.0.0.1"\n')
    place.do(count_on)
    before = place.do(read)

    refused = place.run("restore", file)
    assert refused.exit_code == 2
    assert "something else is there already (memory: 1); nothing was written" in refused.output
    assert "--keep" in refused.output
    assert "--replace" in refused.output
    assert "memory: 1 different\n" in place.run("restore", file, "--dry-run", "--replace").output
    both = place.run("restore", file, "--keep", "--replace")
    assert (both.exit_code, "take one of them" in both.output) == (2, True)
    assert place.do(read) == before
    assert place.do(deeds) == []

    kept = place.run("restore", file, "--keep")
    assert kept.exit_code == 0, kept.output
    assert "memory: 1 different and left as they are\nmemory: 1 written\n" in kept.output
    assert place.do(recall) == b"99"
    replaced = place.run("restore", file, "--replace")
    assert "memory: 1 replaced\n" in replaced.output
    assert place.do(recall) == b"12"


def test_who_restored_is_in_the_audit_trail(place: Place, tmp_path: Path) -> None:
    """Once, for groups come back with it; not where nothing was to be done."""
    file = str(tmp_path / "b")
    place.do(remember)
    place.run("backup", file)
    place.do(forget)
    for _ in range(2):
        place.run("restore", file, "--by", "eva")
    (deed,) = place.do(deeds)
    assert deed.facts == {
        "did": "restored a backup",
        "by": "eva",
        "of": place.keys.cluster,
        "how": "keep",
    }


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_standard_output_and_input(place: Place, arguments: tuple[str, ...]) -> None:
    """For pipes."""
    place.do(remember)
    text = place.run("backup", *arguments).stdout
    place.do(forget)
    done = place.run("restore", "-", typed=text)
    assert done.exit_code == 0, done.output
    assert place.do(recall) == b"12"


def test_a_pipe_is_read_like_a_file(place: Place, tmp_path: Path) -> None:
    """Though it can be read but once."""
    place.do(remember)
    place.run("backup", str(tmp_path / "b.gz"))
    place.do(forget)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=lambda: pipe.write_bytes((tmp_path / "b.gz").read_bytes()))
    writer.start()
    done = place.run("restore", str(pipe))
    writer.join()
    assert done.exit_code == 0, done.output
    assert place.do(recall) == b"12"


@pytest.mark.parametrize("cut", [1, 2, 30, 120])
@pytest.mark.parametrize("packed", [True, False])
def test_a_file_that_is_cut_off_changes_nothing(
    place: Place, tmp_path: Path, cut: int, *, packed: bool
) -> None:
    """It is read whole first; what is wrong is told in a sentence."""
    file = tmp_path / ("b.gz" if packed else "b")
    place.do(remember)
    place.run("backup", str(file))
    place.do(forget)
    file.write_bytes(file.read_bytes()[: -cut - (not packed)])

    done = place.run("restore", str(file))

    assert done.exit_code == 2, done.output
    assert str(file) in done.output
    assert "nothing was written" in done.output
    assert "Traceback" not in done.output
    assert place.do(recall) is None


def test_what_is_no_backup_is_refused(place: Place, tmp_path: Path) -> None:
    """With what it is not."""
    newer = write_line(Header("bot", 1.0, "9.9", schema=2))
    for data in (b"", b"hello\n", gzip.compress(b"hello\n"), b"\x1f\x8bnot really", newer):
        (tmp_path / "b").write_bytes(data)
        refused = place.run("restore", str(tmp_path / "b"))
        assert (refused.exit_code, "nothing was written" in refused.output) == (2, True)
    assert place.run("restore", str(tmp_path / "nowhere")).exit_code == 2
    assert place.run("restore", str(tmp_path)).exit_code == 2
    assert place.run("backup", str(tmp_path / "no" / "folder")).exit_code == 2


def test_a_folder_keeps_no_halves(place: Place, tmp_path: Path) -> None:
    """Only the file stands there in the end, and the one before where there is no new one."""
    folder = tmp_path / "backups"
    folder.mkdir()
    place.run("backup", str(folder / "b"))
    assert [file.name for file in folder.iterdir()] == ["b"]

    before = (folder / "b").read_bytes()
    place.file.write_text('cluster = "x"\nnode = "n"\n[redis]\nurl = "redis://127.0.0.1:1/0"\n')
    assert place.run("backup", str(folder / "b")).exit_code == 5
    assert (folder / "b").read_bytes() == before
    assert [file.name for file in folder.iterdir()] == ["b"]


def test_a_full_disk_is_told(place: Place) -> None:
    """In a sentence, with a code that says that there is no backup."""
    command = [sys.executable, "-m", "hachat", "backup", "--config", str(place.file)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        *(2, "hachat: cannot write the backup: No space left on device\n"),
    )


def test_what_is_no_file_stays_what_it_is(place: Place) -> None:
    """A file that took its name would be in its place."""
    for there in ("/dev/full", "/dev"):
        refused = place.run("backup", there)
        assert (refused.exit_code, "name another one" in refused.output) == (2, True)


async def fill_much(link: Link, keys: Keys) -> None:
    """Have a handler remember 50 MB."""

    def make() -> list[Record]:
        return [
            Value("h", f"{number}", msgspec.Raw(b'"%s"' % (b"x" * 100_000)))
            for number in range(500)
        ]

    await archive(link, keys).write(make())


def test_memory_does_not_grow_with_the_backup(place: Place, tmp_path: Path) -> None:
    """Neither when it is written nor when it is restored is more than a few pages of it in memory."""
    file = str(tmp_path / "b.gz")
    place.do(fill_much)
    tracemalloc.start()
    try:
        place.run("backup", file)
        assert place.run("restore", file).output.endswith("memory: 500 there already\n")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 45_000_000
