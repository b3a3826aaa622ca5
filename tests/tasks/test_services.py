"""Services as blocks: they begin before the block, end after it, and end it when they fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from hachat.tasks.services import finish_unless, run_until, running


class Recorder:
    """Services that note when they begin and end."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def service(self, name: str) -> Named:
        """Return a service of this name."""
        return Named(name, self.notes)


class Named:
    """One service."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self._name = name
        self._notes = notes

    async def __call__(self, *, task_status: trio.TaskStatus[str]) -> None:
        """Run until cancelled."""
        self._notes.append(f"{self._name} begins")
        task_status.started(self._name)
        try:
            await trio.sleep_forever()
        finally:
            self._notes.append(f"{self._name} ends")


async def test_services_end_from_the_inside_out() -> None:
    """What was entered last ends first, whatever the order of tasks."""
    recorder = Recorder()
    async with (
        running(recorder.service("link")) as link,
        running(recorder.service("web")),
        running(recorder.service("elector")),
    ):
        assert link == "link"

    assert recorder.notes[3:] == ["elector ends", "web ends", "link ends"]


async def test_a_service_that_fails_ends_its_block() -> None:
    """The block is cancelled and the error comes out."""

    async def fail(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        raise ValueError("broken")

    with pytest.RaisesGroup(ValueError):
        async with running(fail):
            await trio.sleep_forever()


async def test_a_task_that_finishes_is_told_from_one_that_was_stopped(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """`finish_unless` says which of the two it was."""
    event = trio.Event()

    async def quick() -> None:
        await trio.sleep(1)

    async def slow() -> None:
        event.set()
        await trio.sleep(60)

    assert await finish_unless(event, quick)
    assert not await finish_unless(event, slow)


async def test_tasks_run_until_the_event(autojump_clock: trio.testing.MockClock) -> None:
    """All of them stop when it is set, and not before."""
    event, ended = trio.Event(), Counter[str]()

    def task(name: str) -> Callable[[], Any]:
        async def work() -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended[name] += 1

        return work

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_until, event.wait, task("a"), task("b"))
        await trio.testing.wait_all_tasks_blocked()
        assert not ended
        event.set()

    assert ended == {"a": 1, "b": 1}
