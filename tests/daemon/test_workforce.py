"""The workers of a node are at work unless it is drained, and until it leaves; in virtual time, with workers that do nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from hachat.bot.worker import Worker
from hachat.cluster.roster import Roster
from hachat.daemon.workforce import Workforce
from hachat.store.control import Control, Directive
from hachat.store.peers import Peers

GRACE = 7.0
ORDER = Directive("ada", "disk")


@dataclass
class Idler:
    """A worker that takes `rest` seconds to finish what it has; it notes what becomes of it."""

    rest: float = 0.0
    told: list[str] = field(default_factory=list)

    async def run(
        self,
        leaving: trio.Event,
        grace: float,
        *,
        drained: trio.Event,
        task_status: trio.TaskStatus[None],
    ) -> None:
        """Be at work until told otherwise."""
        assert grace == GRACE
        task_status.started()
        await drained.wait()
        self.told.append("leaving" if leaving.is_set() else "drained")
        await trio.sleep(self.rest)
        self.told.append(f"finished at {trio.current_time():g}")


class Place:
    """A node whose drain can be ordered and taken back, and who was hired there, the first shift first."""

    def __init__(self, rest: float = 0.0) -> None:
        self.shifts: list[list[Any]] = []
        self.stop = trio.Event()
        self._roster = Roster("a", 100, self._read)
        self.workforce = Workforce(self._roster, self._hire, GRACE)
        self._rest = rest
        self._peers = Peers()

    async def order(self, *, drained: bool, node: str = "a") -> None:
        """Drain a node, or take that back, and have this one hear of it."""
        self._peers = Peers(control=Control(drains={node: ORDER} if drained else {}))
        await self._roster.look()
        await trio.testing.wait_all_tasks_blocked()

    async def _read(self) -> Peers:
        return self._peers

    def _hire(self) -> Sequence[Worker]:
        self.shifts.append([Idler(self._rest), Idler(self._rest)])
        return self.shifts[-1]


async def test_workers_work_until_the_node_leaves(autojump_clock: MockClock) -> None:
    """They are there once it has started, get the grace, and are gone when it has ended."""
    place = Place(rest=2.0)
    present = place.workforce.present
    async with trio.open_nursery() as nursery:
        await nursery.start(place.workforce.run, place.stop)
        assert [present] == place.shifts
        await trio.sleep(100.0)
        place.stop.set()
    assert [each.told for each in place.shifts[0]] == [["leaving", "finished at 102"]] * 2
    assert present == []
    assert place.workforce.present is present


async def test_a_drained_node_starts_without_workers(autojump_clock: MockClock) -> None:
    """It is started all the same, hires when it is not drained any more, and says both."""
    place = Place()
    await place.order(drained=True)
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            await nursery.start(place.workforce.run, place.stop)
            await trio.testing.wait_all_tasks_blocked()
            assert (place.shifts, place.workforce.present) == ([], [])
            await place.order(drained=False)
            assert place.workforce.present == place.shifts[0]
            place.stop.set()
    assert [entry["event"] for entry in logs] == [
        "drained: this node takes no new work",
        "not drained: this node takes work",
    ]
    assert "by ada: disk" in logs[0]["order"]


async def test_a_drain_lets_what_was_begun_be_finished(autojump_clock: MockClock) -> None:
    """The workers stay until then; after it others are hired, into the same list."""
    place = Place(rest=5.0)
    present = place.workforce.present
    async with trio.open_nursery() as nursery:
        await nursery.start(place.workforce.run, place.stop)
        await place.order(drained=True)
        assert present == place.shifts[0]
        await trio.sleep(6.0)
        assert [each.told for each in place.shifts[0]] == [["drained", "finished at 5"]] * 2
        assert present == []
        await place.order(drained=False)
        assert present == place.shifts[1]
        assert place.workforce.present is present
        place.stop.set()
    assert len(place.shifts) == 2


async def test_a_drain_that_is_taken_back_before_all_is_finished(
    autojump_clock: MockClock,
) -> None:
    """Nobody is hired beside those that finish, and somebody is afterwards."""
    place = Place(rest=5.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(place.workforce.run, place.stop)
        await place.order(drained=True)
        await place.order(drained=False)
        assert len(place.shifts) == 1
        await trio.sleep(6.0)
        assert place.workforce.present == place.shifts[1]
        place.stop.set()


@pytest.mark.parametrize("late", [False, True])
async def test_a_drained_node_leaves_too(autojump_clock: MockClock, *, late: bool) -> None:
    """While its workers finish, or when they have; none is hired for that."""
    place = Place(rest=5.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(place.workforce.run, place.stop)
        await place.order(drained=True)
        await trio.sleep(10.0 if late else 1.0)
        place.stop.set()
    assert trio.current_time() == pytest.approx(10.0 if late else 5.0)
    assert len(place.shifts) == 1


async def test_a_drain_of_another_node_is_no_reason_to_stop(autojump_clock: MockClock) -> None:
    """An order is about the node that it names."""
    place = Place()
    async with trio.open_nursery() as nursery:
        await nursery.start(place.workforce.run, place.stop)
        await place.order(drained=True, node="b")
        assert place.workforce.present == place.shifts[0]
        assert place.shifts[0][0].told == []
        place.stop.set()
