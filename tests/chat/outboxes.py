"""The outbound queue in memory, with virtual time: what `Outbound` promises, and failures on demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, cast

import trio

from hachat.core.errors import Fenced, StoreError, StoreUnavailable
from hachat.core.messages import Answer, Reply
from hachat.core.wire import encode
from hachat.store.link import Reader
from hachat.store.outbound import HOLD, Due, Outbound, Outcome, Report


class Turn(NamedTuple):
    """The ids of the replies that a turn reported, sorted, and of those that it took, in their order."""

    reported: list[str]
    taken: list[str]


class Outboxes(Outbound):
    """Outboxes of rooms, and what was reported of their heads.

    `failures` holds, for each method, what its next calls raise after they have done their work.  `slow` is how long
    each answer takes, but those to `wait`.  `intents` says of each room that was taken whether its head is in doubt.
    """

    def __init__(self) -> None:
        self.waiting: dict[str, list[Due]] = defaultdict(list)
        self.reports: list[tuple[str, Outcome]] = []
        self.reasons: dict[str, str] = {}
        self.answers: list[Answer] = []
        self.failures: dict[str, list[StoreError]] = defaultdict(list)
        self.intents: dict[str, bool] = {}
        self.inherited: list[set[str]] = []
        self.takes: list[float] = []
        self.turns: list[Turn] = []
        self.slow = 0.0
        self.fenced = False
        self._due: dict[str, float] = {}
        self._bell = trio.Event()

    def put(self, room: str, *texts: str, in_doubt: bool = False) -> None:
        """Put a reply for each text into a room's outbox."""
        for text in texts:
            self.put_raw(room, text, encode(Reply(text, room, text)), in_doubt=in_doubt)

    def put_reply(self, reply: Reply) -> None:
        """Put a reply into its room's outbox."""
        self.put_raw(reply.room, reply.id, encode(reply))

    def put_raw(self, room: str, id_: str, data: bytes, *, in_doubt: bool = False) -> None:
        """Put any bytes into a room's outbox."""
        if not self.waiting[room]:
            self._due[room] = trio.current_time()
        if in_doubt:
            self.intents[room] = True
        self.waiting[room].append(Due(room, id_, data))
        self._bell.set()

    async def inherit(self, served: Collection[str] = ()) -> int:
        """Make the rooms due that were taken and are not served."""
        self.inherited.append(set(served))
        stray = self.intents.keys() - set(served)
        self._due |= dict.fromkeys(stray, trio.current_time())
        await self._answer("inherit")
        return len(stray)

    async def turn(self, reports: Sequence[Report], most: int) -> tuple[list[Due], float]:
        """Settle what is reported and take the heads of rooms that are due."""
        for report in reports:
            if not self.fenced or self._may_report_when_fenced(report):
                self._settle(report)
        now = trio.current_time()
        taken = [] if self.fenced else self._take(most, now)
        if most:
            self.takes.append(now)
        self.turns.append(
            Turn(sorted(report.due.id for report in reports), [due.id for due in taken])
        )
        wait = min(self._due.values(), default=now + HOLD) - now
        await self._answer("turn")
        return taken, max(0.0, wait)

    async def wait(self, reader: Reader, longest: float) -> None:
        """Return when something was put into an outbox, after `longest` seconds at the latest."""
        with trio.move_on_after(longest):
            await self._bell.wait()
        self._bell = trio.Event()
        await self._answer("wait")

    @asynccontextmanager
    async def reader(self, longest: float) -> AsyncIterator[Reader]:
        """Stand for the connections, too."""
        yield cast("Reader", None)

    def _may_report_when_fenced(self, report: Report) -> bool:
        return report.outcome == "sent" and self.intents.get(report.due.room) is False

    def _settle(self, report: Report) -> None:
        room, waiting = report.due.room, self.waiting[report.due.room]
        if not waiting or waiting[0].id != report.due.id:
            return
        self.reports.append((report.due.id, report.outcome))
        self.reasons[report.due.id] = report.reason
        if report.outcome in {"sent", "dead"}:
            del waiting[0]
        self.intents.pop(room, None)
        if report.outcome == "doubt":
            self.intents[room] = True
        self._due.pop(room, None)
        if waiting:
            self._due[room] = trio.current_time() + report.after
        if report.note:
            self.put_reply(report.note)
        if report.answer:
            self.answers.append(report.answer)

    def _take(self, most: int, now: float) -> list[Due]:
        rooms = sorted(
            (room for room in self._due if self._due[room] <= now), key=self._due.__getitem__
        )
        taken: list[Due] = []
        for room in rooms[:most]:
            head, in_doubt = self.waiting[room][0], self.intents.setdefault(room, False)
            self._due[room] = now + HOLD
            taken.append(Due(room, head.id, head.data, in_doubt))
        return taken

    async def _answer(self, method: str) -> None:
        if method != "wait":
            await trio.sleep(self.slow)
        if self.fenced:
            raise Fenced("the lease is no longer ours")
        if self.failures[method]:
            raise self.failures[method].pop(0)


AWAY = StoreUnavailable("away")
"""What a lost answer is to whoever asked."""
