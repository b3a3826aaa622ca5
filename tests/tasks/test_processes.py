"""Processes of our own: what they are asked, how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from hachat.core.errors import ProcessDied, ProcessFailed
from hachat.tasks.processes import Processes
from tests.waiting import until, until_sync

WORK = "tests.tasks.work"


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    """Two of them at most."""
    async with Processes(2) as made:
        yield made


async def call(processes: Processes, function: str, *arguments: object) -> object:
    """Have one of the functions called."""
    data = await processes.call(f"{WORK}:{function}", json.dumps(arguments).encode())
    return json.loads(data)


def is_alive(pid: int) -> bool:
    """Tell whether there is such a process, and not only its name until its parent has asked for it."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


async def test_a_process_is_kept_for_the_next_call(processes: Processes) -> None:
    """It is another one than ours, and what it prints is no answer."""
    pid = await call(processes, "tell_pid")
    assert pid != os.getpid()
    assert await call(processes, "tell_pid") == pid
    assert await call(processes, "add", 1, 2, 3) == 6


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("fail", "ValueError: no luck"),
        ("leave", "SystemExit: 3"),
        ("nothing", "LookupError: tests.tasks.work:nothing is no function"),
    ],
)
async def test_an_error_is_told_and_the_process_goes_on(
    processes: Processes, function: str, error: str
) -> None:
    """With the trace it had there."""
    pid = await call(processes, "tell_pid")
    with pytest.raises(ProcessFailed, match=error) as failure:
        await call(processes, function)
    assert "Traceback" in failure.value.__notes__[0]
    assert await call(processes, "tell_pid") == pid


async def test_a_process_that_dies_is_replaced(processes: Processes) -> None:
    """Only the call that it died with fails."""
    with pytest.raises(ProcessDied, match="work:die ended with -9"):
        await call(processes, "die")
    assert await call(processes, "add", 1) == 1


async def test_a_cancel_kills_the_process(processes: Processes, tmp_path: Path) -> None:
    """However busy it is; the next call is given another one."""
    file = tmp_path / "pid"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, processes, "hold", str(file))
        await until(file.exists, 20.0)
        nursery.cancel_scope.cancel()
    assert not is_alive(int(file.read_text()))
    assert await call(processes, "add", 1) == 1


async def test_there_are_no_more_than_so_many(processes: Processes, tmp_path: Path) -> None:
    """A third call waits for one of two, and is made when that has ended."""
    files = [tmp_path / name for name in "ab"]
    results: list[object] = []

    async def spin(file: Path) -> None:
        with pytest.raises(ProcessDied):
            await call(processes, "spin", str(file))

    async def add() -> None:
        results.append(await call(processes, "add", 1))

    async with trio.open_nursery() as nursery:
        for file in files:
            nursery.start_soon(spin, file)
        await until(lambda: all(file.exists() for file in files), 20.0)
        nursery.start_soon(add)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert not results
        for file in files:
            os.kill(int(file.read_text()), signal.SIGKILL)
    assert results == [1]


async def test_all_end_with_the_pool(tmp_path: Path) -> None:
    """Those that wait for work do, too."""
    async with Processes(1) as processes:
        pid = await call(processes, "tell_pid")
        assert isinstance(pid, int)
        assert is_alive(pid)
    assert not is_alive(pid)


@pytest.mark.parametrize("function", ["spin", "hold"])
def test_they_end_with_a_parent_that_is_killed(function: str, tmp_path: Path) -> None:
    """The kernel ends them, however busy they are, and even if no thread of theirs gets a turn."""
    file = tmp_path / "pid"
    code = (
        "import json, sys, trio\nfrom hachat.tasks.processes import Processes\n"
        f"trio.run(Processes(1).call, '{WORK}:{function}', json.dumps([sys.argv[1]]).encode())"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(file)]) as parent:
        until_sync(file.exists, 20.0)
        child = int(file.read_text())
        assert is_alive(child)
        parent.kill()
    until_sync(lambda: not is_alive(child), 5.0)
