"""Moves jobs that are due into the inbound queue, and fires the slots of schedules: on every node, for all of them.

Nodes need not agree on anything: whoever comes first does it, and the others find it done.  A node sleeps until the
next thing it knows of is due; what it has not heard of it finds within `LOOK` seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import structlog
import trio

from hachat.bot.routes import JobRoute
from hachat.core.errors import StoreError, StoreRefused
from hachat.core.messages import Job
from hachat.core.slots import Schedule
from hachat.store.jobs import Firing, Jobs
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

LOOK = 8.0
"""Seconds after which a node looks for jobs it has not heard of; those of a node that lives do not wait for it."""

RELUCTANCE = 1.0
"""Seconds until a node asks again what Redis did not answer or has refused."""

BATCH = 64
"""Jobs moved with one call; Redis serves nobody else meanwhile."""


class _Timetable:
    """One schedule, and how far this node has got with it; all times are Unix milliseconds of Redis."""

    def __init__(self, name: str, schedule: Schedule, last: int) -> None:
        self.name = name
        self._schedule = schedule
        self.advance(last)

    def advance(self, last: int) -> None:
        """Note that all until `last` is done with."""
        self.last = last
        self.next = self._schedule.next(last)

    def list_due(self, now: int) -> list[int]:
        """Return the slots that are to be fired now."""
        if self.next is None or self.next > now:
            return []
        return self._schedule.due(self.last, now)


class Scheduler:
    """Looks after jobs and schedules on this node; `routes` are those that its handlers have."""

    def __init__(self, jobs: Jobs, routes: Sequence[JobRoute]) -> None:
        self._jobs = jobs
        self._schedules = {r.name: r.schedule for r in routes if r.schedule is not None}
        self._timetables: list[_Timetable] = []
        self._wake_at = math.inf
        self._news = trio.Event()

    def expect(self, delay: float) -> None:
        """Hear that this node has scheduled something, due in `delay` seconds."""
        at = trio.current_time() + delay
        if at < self._wake_at:
            self._wake_at = at
            self._news.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look after them for ever; while Redis is away, wait for it."""
        task_status.started()
        while True:
            self._wake_at = math.inf
            try:
                next_look = await self._look()
            except StoreError as error:
                report(log, "cannot look after jobs and schedules yet", error)
                next_look = trio.current_time() + RELUCTANCE
            self._wake_at = min(
                self._wake_at, next_look
            )  # it may have heard of something meanwhile
            await self._sleep()

    async def _sleep(self) -> None:
        while trio.current_time() < self._wake_at:
            self._news = trio.Event()
            with trio.move_on_at(self._wake_at):
                await self._news.wait()

    async def _look(self) -> float:
        """Do what is due, and return when to look again."""
        if len(self._timetables) < len(self._schedules):
            last = await self._jobs.begin(list(self._schedules))
            timetables = [_Timetable(n, s, last[n]) for n, s in self._schedules.items()]
            await self._jobs.announce({one.name: one.next for one in timetables})
            self._timetables = timetables
        due = await self._jobs.first_due()
        if due is None and not self._timetables:
            return trio.current_time() + LOOK  # a quiet cluster costs no more than that question
        now = await self._jobs.now()
        asked = trio.current_time()
        waits = [LOOK]
        if due is not None and due > now:
            waits.append((due - now) / 1000)
        elif due is not None:
            promoted = await self._jobs.promote(BATCH)
            waits += [] if promoted.wait is None else [promoted.wait]
        for timetable in self._timetables:
            waits.append(await self._serve(timetable, now))
        return asked + min(waits)

    async def _serve(self, timetable: _Timetable, now: int) -> float:
        """Fire the slots of one schedule that are due, and return the seconds until its next."""
        try:
            ours = False
            for slot in timetable.list_due(now):
                ours = await self._fire(timetable.name, slot)
                timetable.advance(slot)
            if timetable.next is not None and timetable.next <= now:
                timetable.advance(now)  # what is left was missed, and is not made up for
                ours = True
            if ours:
                await self._jobs.announce({timetable.name: timetable.next})
        except StoreRefused as error:
            report(log, "cannot fire a schedule yet", error, schedule=timetable.name)
            return RELUCTANCE
        return math.inf if timetable.next is None else (timetable.next - now) / 1000

    async def _fire(self, name: str, slot: int) -> bool:
        job = Job(f"{name}@{slot}", name, slot / 1000)
        firing = await self._jobs.fire(name, slot, job)
        if firing is Firing.BUSY:
            log.warning(
                "a schedule is left out: its handler does not keep up", schedule=name, slot=slot
            )
        elif firing is Firing.FIRED:
            log.debug("fired a schedule", schedule=name, slot=slot)
        return firing is not Firing.PAST
