"""Jobs and schedules looked after in virtual time, with a Redis that is a list and a clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
import structlog
import trio
import trio.testing

from hachat import Context, Handler, every
from hachat.bot.binding import bind
from hachat.bot.routes import JobRoute
from hachat.bot.scheduler import BATCH, LOOK, RELUCTANCE, Scheduler
from hachat.core.errors import StoreError, StoreRefused, StoreUnavailable
from hachat.core.messages import Job
from hachat.core.slots import Missed
from hachat.store.jobs import Firing, Jobs, Promoted
from hachat.store.keys import Lane

AWAY = StoreUnavailable("away")
BEGIN = 1_800_000_000_000
"""Where Redis's clock stands when the loop's is at zero."""


@dataclass
class Diary(Jobs):
    """Jobs by the time they are due, slots, and what became of them, each with the loop's time.

    `failures` is what the next questions end with, `refused` the schedules that Redis cannot fire.
    """

    waits: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    moved: list[tuple[float, str]] = field(default_factory=list)
    fired: list[tuple[float, int]] = field(default_factory=list)
    upcoming: dict[str, int | None] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    failures: list[StoreError] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    busy: bool = False
    shift: float = 0.0
    asked: int = 0

    def put(self, name: str, seconds: float) -> None:
        """Have a job due at that time of the loop's."""
        self.waits[name] = BEGIN + round(seconds * 1000)

    def clock(self) -> int:
        """Return Redis's time."""
        return BEGIN + round((trio.current_time() + self.shift) * 1000)

    async def first_due(self) -> int | None:
        """Look into the diary."""
        await self._answer()
        return min(self.waits.values(), default=None)

    async def now(self) -> int:
        """Look at the clock."""
        await self._answer()
        return self.clock()

    async def promote(self, most: int) -> Promoted:
        """Move what is due."""
        await self._answer()
        due = [name for name, at in self.waits.items() if at <= self.clock()][:most]
        for name in due:
            del self.waits[name]
            self.moved.append((trio.current_time(), name))
        first = min(self.waits.values(), default=None)
        wait = None if first is None else max(0.0, (first - self.clock()) / 1000)
        return Promoted(self.clock(), wait, len(due))

    async def begin(self, schedules: Sequence[str]) -> dict[str, int]:
        """Begin those that are new."""
        await self._answer()
        return {name: self.last.setdefault(name, self.clock()) for name in schedules}

    async def announce(self, upcoming: Mapping[str, int | None]) -> None:
        """Write down what comes next."""
        await self._answer()
        self.upcoming |= upcoming

    async def fire(self, schedule: str, slot: int, job: Job, lane: Lane = "work") -> Firing:
        """Fire what was not fired before."""
        await self._answer()
        if schedule in self.refused:
            raise StoreRefused("WRONGTYPE")
        if self.last[schedule] >= slot:
            return Firing.PAST
        self.last[schedule] = slot
        if self.busy:
            return Firing.BUSY
        self.fired.append((trio.current_time(), slot - BEGIN))
        self.jobs.append(job)
        return Firing.FIRED

    async def _answer(self) -> None:
        self.asked += 1
        await trio.lowlevel.checkpoint()
        if self.failures:
            raise self.failures.pop(0)


def near(events: Sequence[tuple[float, T]]) -> list[tuple[float, T]]:
    """Return events with their times as people would tell them."""
    return [(round(at, 2), what) for at, what in events]


def routes(when: str | float = "10s", missed: Missed = "latest") -> list[JobRoute]:
    """Return the routes of a handler with one schedule."""

    class Clock(Handler):
        @every(when, missed=missed)
        async def tick(self, ctx: Context) -> None: ...

    return [route for route in bind(Clock()) if isinstance(route, JobRoute)]


@asynccontextmanager
async def scheduling(diary: Diary, *nodes: Sequence[JobRoute]) -> AsyncIterator[Scheduler]:
    """Run the scheduler of each node beside the block, and give it the first one."""
    schedulers = [Scheduler(diary, having) for having in nodes or ([],)]
    async with trio.open_nursery() as nursery:
        for scheduler in schedulers:
            await nursery.start(scheduler.run)
        yield schedulers[0]
        nursery.cancel_scope.cancel()


T = TypeVar("T")

Virtual = trio.testing.MockClock

# Jobs


async def test_a_job_is_moved_when_it_is_due(autojump_clock: Virtual) -> None:
    """One that was there before is moved at its time, not when the node looks next."""
    diary = Diary()
    diary.put("j1", 3.0)
    async with scheduling(diary):
        await trio.sleep(20)
    assert near(diary.moved) == [(3.0, "j1")]


async def test_what_this_node_schedules_is_on_time(autojump_clock: Virtual) -> None:
    """A node that is told of a job sleeps no longer than until then."""
    diary = Diary()
    async with scheduling(diary) as scheduler:
        await trio.sleep(0.5)
        diary.put("j1", 2.0)
        scheduler.expect(1.5)
        diary.put("j2", 4.0)
        scheduler.expect(3.5)
        await trio.sleep(20)
    assert near(diary.moved) == [(2.0, "j1"), (4.0, "j2")]


async def test_what_is_scheduled_during_a_look_is_not_missed(autojump_clock: Virtual) -> None:
    """A job that comes while the node is asking Redis is moved on time, too."""
    diary = Diary()
    async with scheduling(diary) as scheduler:
        scheduler.expect(0.0)
        await trio.lowlevel.checkpoint()
        diary.put("j1", 1.0)
        scheduler.expect(1.0)
        await trio.sleep(20)
    assert near(diary.moved) == [(1.0, "j1")]


async def test_jobs_of_other_nodes_are_found(autojump_clock: Virtual) -> None:
    """What a node that died has scheduled is moved by another one before long."""
    diary = Diary()
    async with scheduling(diary):
        await trio.sleep(1)
        diary.put("j1", 2.0)
        await trio.sleep(20)
    ((at, _),) = diary.moved
    assert 2 <= at <= LOOK + 0.01


async def test_many_due_jobs_are_moved_one_batch_after_the_other(autojump_clock: Virtual) -> None:
    """More than a batch that is due needs no second time."""
    diary = Diary()
    for number in range(2 * BATCH + 1):
        diary.put(f"j{number}", 1.0)
    async with scheduling(diary):
        await trio.sleep(1.01)
    assert len(diary.moved) == 2 * BATCH + 1


@pytest.mark.parametrize("kind", ["nothing", "a job", "a schedule"])
async def test_waiting_costs_little(autojump_clock: Virtual, kind: str) -> None:
    """While nothing is due a node asks Redis less than 0.3 times a second, whatever it waits for."""
    diary = Diary()
    if kind == "a job":
        diary.put("j1", 100_000.0)
    async with scheduling(diary, routes("1w") if kind == "a schedule" else []):
        await trio.sleep(1)
        before = diary.asked
        await trio.sleep(1000)
    assert (diary.asked - before) / 1000 < 0.3


async def test_redis_being_away_is_no_end(autojump_clock: Virtual) -> None:
    """Whatever fails is asked again a second later, and what became due meanwhile is done then."""
    diary = Diary(failures=[AWAY] * 5)
    diary.put("j1", 2.0)
    async with scheduling(diary, routes()):
        await trio.sleep(11)
    assert near(diary.moved) == [(5 * RELUCTANCE, "j1")]
    assert [slot for _, slot in diary.fired] == [10_000]


# Schedules


async def test_slots_are_fired_on_time(autojump_clock: Virtual) -> None:
    """Each slot has its job, with the schedule's name and the moment it was meant for."""
    diary = Diary()
    async with scheduling(diary, routes()):
        await trio.sleep(35)
    assert near(diary.fired) == [(at, at * 1000) for at in (10, 20, 30)]
    name = "clock.tick"
    assert diary.jobs[0] == Job(f"{name}@{BEGIN + 10_000}", name, BEGIN / 1000 + 10)


async def test_people_can_see_what_comes_next(autojump_clock: Virtual) -> None:
    """From the beginning on, and after each slot; whoever fires it says so, and nobody else."""
    diary = Diary()
    async with scheduling(diary, routes(), routes()):
        await trio.sleep(1)
        assert diary.upcoming == {"clock.tick": BEGIN + 10_000}
        await trio.sleep(10)
        assert diary.upcoming == {"clock.tick": BEGIN + 20_000}


async def test_nodes_share_a_schedule(autojump_clock: Virtual) -> None:
    """Six nodes fire each slot once between them."""
    diary = Diary()
    async with scheduling(diary, *(routes() for _ in range(6))):
        await trio.sleep(35)
    assert [slot for _, slot in diary.fired] == [10_000, 20_000, 30_000]


async def test_a_new_schedule_fires_nothing_of_the_past(autojump_clock: Virtual) -> None:
    """It begins with the first slot after it was seen."""
    diary = Diary()
    await trio.sleep(15)
    async with scheduling(diary, routes(missed="all")):
        await trio.sleep(10)
    assert [slot for _, slot in diary.fired] == [20_000]


@pytest.mark.parametrize(
    ("missed", "slots"),
    [("skip", []), ("latest", [300_000]), ("all", [100_000, 200_000, 300_000])],
)
async def test_missed_slots(autojump_clock: Virtual, missed: Missed, slots: list[int]) -> None:
    """When no node was there for some slots, the policy says which of them are fired as one comes back."""
    diary = Diary(last={"clock.tick": BEGIN})
    await trio.sleep(390)
    async with scheduling(diary, routes("100s", missed)):
        await trio.sleep(5)
        assert [slot for _, slot in diary.fired] == slots
        await trio.sleep(10)
    assert [slot for _, slot in diary.fired][len(slots) :] == [400_000]


async def test_slots_while_redis_is_away(autojump_clock: Virtual) -> None:
    """The latest of those that were missed is fired when Redis is back, and then the next on time."""
    diary = Diary()
    async with scheduling(diary, routes()):
        await trio.sleep(5)
        diary.failures = [AWAY] * 31  # one a second, from its look at 8 s on
        await trio.sleep(47)
    assert near(diary.fired) == [
        (39, 30_000),
        (40, 40_000),
        (50, 50_000),
    ]


async def test_a_clock_that_goes_back_repeats_nothing(autojump_clock: Virtual) -> None:
    """After a failover to a Redis whose clock is behind, no slot is fired again."""
    diary = Diary()
    async with scheduling(diary, routes()):
        await trio.sleep(25)
        diary.shift = -15.0
        await trio.sleep(30)
    slots = [slot for _, slot in diary.fired]
    assert slots == [10_000, 20_000, 30_000, 40_000][: len(slots)]
    assert len(slots) >= 3


async def test_a_schedule_that_cannot_be_fired_stops_no_other(autojump_clock: Virtual) -> None:
    """It is told, tried again each second, and fired once that works."""

    class Two(Handler):
        @every("10s")
        async def bad(self, ctx: Context) -> None: ...

        @every("10s")
        async def good(self, ctx: Context) -> None: ...

    diary = Diary(refused={"two.bad"})
    both = [route for route in bind(Two()) if isinstance(route, JobRoute)]
    with structlog.testing.capture_logs() as logs:
        async with scheduling(diary, both):
            await trio.sleep(12.5)
            assert [job.route for job in diary.jobs] == ["two.good"]
            diary.refused.clear()
            await trio.sleep(1)
    assert [job.route for job in diary.jobs] == ["two.good", "two.bad"]
    assert {
        (entry["event"], entry["schedule"]) for entry in logs if entry["log_level"] == "warning"
    } == {("cannot fire a schedule yet", "two.bad")}


async def test_a_handler_that_does_not_keep_up_is_told(autojump_clock: Virtual) -> None:
    """A slot that was left out is in the log, and not tried again."""
    diary = Diary(busy=True)
    with structlog.testing.capture_logs() as logs:
        async with scheduling(diary, routes()):
            await trio.sleep(15)
    assert [entry["slot"] for entry in logs] == [BEGIN + 10_000]
    assert "does not keep up" in logs[0]["event"]
