"""The highest epoch outlives the process, whatever becomes of its file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from hachat.cluster.elector import Elector
from hachat.cluster.term import Term
from hachat.core.timing import Timing
from hachat.daemon import floor
from hachat.daemon.floor import FloorKeeper, locate, read, write
from hachat.store.embedded import run_server
from hachat.store.keys import Keys
from hachat.store.lease import open_lease
from hachat.store.link import Direct, Link
from tests.waiting import until

QUICK = Timing(
    ttl=1.0,
    renew=0.2,
    op_timeout=0.2,
    margin=0.1,
    send_timeout=0.2,
    lock_delay=1.0,
)


def test_it_lies_in_the_first_state_directory() -> None:
    """Several are separated with colons; without any there is no file."""
    assert locate({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a/floor")
    assert locate({}) is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """The file is whole, nothing else is left, and an attempt that was cut off stands in nobody's way."""
    path = tmp_path / "floor"
    (tmp_path / "floor.new").write_text("{")

    assert read(path) == 0
    write(path, 17)
    write(path, 18)

    assert read(path) == 18
    assert [file.name for file in tmp_path.iterdir()] == ["floor"]


def test_it_is_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file first, then the directory that names it: a power cut leaves the old one or the new one."""
    path, synced = tmp_path / "floor", []

    def note(descriptor: int) -> None:
        kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((kind, path.exists()))

    monkeypatch.setattr(os, "fsync", note)
    write(path, 17)

    assert synced == [("file", False), ("directory", True)]


async def test_epochs_are_kept_and_never_lowered(tmp_path: Path) -> None:
    """The next process begins where this one ended."""
    path = tmp_path / "floor"
    keeper = FloorKeeper(path)
    assert await keeper.read() == 0

    await keeper.keep(17)
    await keeper.keep(16)

    assert await FloorKeeper(path).read() == 17


async def test_epochs_heard_of_are_kept_soon(tmp_path: Path, nursery: trio.Nursery) -> None:
    """Those of other masters too."""
    path, heard = tmp_path / "floor", [5]
    keeper = FloorKeeper(path)
    await nursery.start(keeper.follow, lambda: heard[-1])

    await until(lambda: read(path) == 5)
    heard.append(9)
    await until(lambda: read(path) == 9)


async def test_without_a_state_directory_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that nobody gave a place to write does not choose one; it says so once, to who looks for it."""
    monkeypatch.chdir(tmp_path)
    keeper = FloorKeeper(None)

    with capture_logs() as logs:
        assert await keeper.read() == 0
        await keeper.keep(17)
        await keeper.follow(lambda: 17)

    assert [(entry["log_level"], "STATE_DIRECTORY" in entry["event"]) for entry in logs] == [
        ("debug", True)
    ]
    assert not await trio.Path(tmp_path / "floor").exists()


@pytest.mark.parametrize("text", ["", "rubbish", "{}", '{"epoch": -1}', '{"epoch": 1e300}', "\0"])
async def test_rubbish_is_told_and_makes_careful(text: str, tmp_path: Path) -> None:
    """The node goes on, as one that knows there may have been terms before; its next term mends the file."""
    path = tmp_path / "floor"
    path.write_text(text)
    keeper = FloorKeeper(path)

    with capture_logs() as logs:
        assert await keeper.read() == floor.SUSPICION
    await keeper.keep(17)

    assert [(entry["log_level"], entry["file"]) for entry in logs] == [("warning", str(path))]
    assert read(path) == 17


async def test_a_disk_that_takes_nothing_is_told_once(tmp_path: Path) -> None:
    """The node goes on; when the disk is well again the file is written."""
    path = tmp_path / "missing" / "floor"
    keeper = FloorKeeper(path)

    with capture_logs() as logs:
        await keeper.keep(17)
        await keeper.keep(18)
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert "No such file" in logs[0]["error"]

    path.parent.mkdir()
    await keeper.keep(18)
    assert read(path) == 18


async def test_a_full_disk_leaves_the_old_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What cannot be written whole replaces nothing."""
    path = tmp_path / "floor"
    write(path, 17)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with capture_logs() as logs:
        await FloorKeeper(path).keep(18)

    assert "No space left" in logs[0]["error"]
    assert read(path) == 17


async def test_a_silent_disk_holds_up_no_term_for_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is left after a second, and said to be silent."""
    os.mkfifo(tmp_path / "floor")  # opening it for reading waits for somebody who writes

    with capture_logs() as logs, trio.fail_after(3.0):
        assert await FloorKeeper(tmp_path / "floor").read() == floor.SUSPICION
    (tmp_path / "floor").open("w").close()

    assert "has not answered within 1 s" in logs[0]["error"]


async def _lead_once(url: str, keys: Keys, keeper: FloorKeeper) -> int:
    """Return the epoch of the term that a fresh process takes, once it is in the file."""
    epochs: list[int] = []

    async def duty(term: Term) -> None:
        await keeper.keep(term.epoch)
        epochs.append(term.epoch)
        await term.leaving.wait()

    link = Link(Direct(url))
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        async with open_lease(link, keys, QUICK) as store:
            elector = Elector(store, "a", "a1", QUICK, floor=await keeper.read())
            async with trio.open_nursery() as electors:
                await electors.start(elector.run, duty)
                await until(lambda: epochs, within=15.0)
                electors.cancel_scope.cancel()
        nursery.cancel_scope.cancel()
    return epochs[0]


async def test_an_epoch_rises_though_redis_was_wiped_and_its_clock_set_back(
    tmp_path: Path, keys: Keys
) -> None:
    """A process that has just started takes no epoch that was there before; without the file it would."""
    path = tmp_path / "floor"
    ahead = (
        4_000_000_000_000  # what an earlier Redis, whose clock was in the next century, has given
    )
    with run_server(tmp_path / "redis") as server:
        write(path, ahead)
        assert await _lead_once(server.url, keys, FloorKeeper(path)) == ahead + 1
    with run_server(tmp_path / "wiped") as server:
        assert await _lead_once(server.url, keys, FloorKeeper(path)) == ahead + 2
        assert read(path) == ahead + 2
    with run_server(tmp_path / "forgotten") as server:
        assert await _lead_once(server.url, keys, FloorKeeper(None)) < ahead
