"""Connecting ahead, for all the chat services that can."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from hachat.chat.adapter import Connection
from hachat.chat.warmup import find_fault, warm_up
from hachat.core.errors import UsageError
from tests.chat.stage import Service


class Warm(Service):
    """A service that connects ahead when it is let; `fault` is why it cannot."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.connect = trio.Event()
        self.use = trio.Event()
        self._fault = fault

    async def warm(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect, and wait to be used."""
        if self._fault:
            raise ConnectionRefusedError(self._fault)
        await self.connect.wait()
        task_status.started()
        await self.use.wait()


async def test_it_is_ready_when_all_that_can_are_connected(nursery: trio.Nursery) -> None:
    """Who cannot connect ahead is left out; it ends when all connections are used."""
    one, other = Warm(), Warm()
    ready, used = trio.Event(), trio.Event()

    async def warm() -> None:
        async with trio.open_nursery() as inner:
            await inner.start(warm_up, [one, Service(), other])
            ready.set()
        used.set()

    nursery.start_soon(warm)
    one.connect.set()
    await trio.testing.wait_all_tasks_blocked()
    assert not ready.is_set()
    other.connect.set()
    await ready.wait()
    one.use.set()
    await trio.testing.wait_all_tasks_blocked()
    assert not used.is_set()
    other.use.set()
    await used.wait()


async def test_where_none_can_it_is_ready_at_once_and_stays_so(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """There is nothing to use up, so it lasts until it is cancelled."""
    with trio.move_on_after(60) as scope:
        async with trio.open_nursery() as inner:
            await inner.start(warm_up, [Service()])
    assert scope.cancelled_caught


async def test_one_that_cannot_connect_is_named() -> None:
    """The master is told which service it is."""
    with pytest.RaisesGroup(
        pytest.RaisesExc(UsageError, match="t: nobody there"), flatten_subgroups=True
    ):
        async with trio.open_nursery() as inner:
            await inner.start(warm_up, [Warm("nobody there")])


def connection(service: Service, fault: str) -> Connection:
    """Return a connection of `service` in which this is wrong."""
    made = Connection(service)
    made.fault = fault
    return made


def test_a_fault_is_what_a_successor_would_have_shown_not_to_have() -> None:
    """Who cannot connect ahead proves nothing, so where only such a service is away there is none."""
    away, fine, other = (
        connection(Warm(), "refused"),
        connection(Warm(), ""),
        connection(Service(), "refused"),
    )
    assert find_fault([away, fine, other]) == "t: refused"
    assert find_fault([away, away]) == "t: refused; t: refused"
    assert find_fault([fine, other]) == ""


def test_a_fault_in_the_words_of_a_service_is_cut() -> None:
    """It ends in the history of the terms."""
    assert len(find_fault([connection(Warm(), "x" * 100_000)])) == 400
