"""The outbound queue in memory, with virtual time: what `Outbound` promises, and failures on demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import cast

import trio

from hachat.core.errors import Fenced, StoreError, StoreUnavailable
from hachat.core.messages import Reply
from hachat.core.wire import encode
from hachat.store.link import Reader
from hachat.store.outbound import Due, Outbound, Outcome


class Outboxes(Outbound):
    """Outboxes of rooms, and what was reported of their heads.

    `failures` holds, for each method, what its next calls raise after they have done their work.  `slow` is how long
    each answer takes, but those to `wait`.
    """

    def __init__(self) -> None:
        self.waiting: dict[str, list[Due]] = defaultdict(list)
        self.reports: list[tuple[str, Outcome]] = []
        self.reasons: dict[str, str] = {}
        self.failures: dict[str, list[StoreError]] = defaultdict(list)
        self.intents: set[str] = set()
        self.inherited: list[set[str]] = []
        self.takes: list[float] = []
        self.slow = 0.0
        self.fenced = False
        self._due: dict[str, float] = {}
        self._bell = trio.Event()

    def put(self, room: str, *texts: str, in_doubt: bool = False) -> None:
        """Put a reply for each text into a room's outbox."""
        for text in texts:
            self.put_raw(room, text, encode(Reply(text, room, text)), in_doubt=in_doubt)

    def put_raw(self, room: str, id_: str, data: bytes, *, in_doubt: bool = False) -> None:
        """Put any bytes into a room's outbox."""
        if not self.waiting[room]:
            self._due[room] = trio.current_time()
        if in_doubt:
            self.intents.add(room)
        self.waiting[room].append(Due(room, id_, data))
        self._bell.set()

    async def inherit(self, served: Collection[str] = ()) -> int:
        """Make the rooms due that were taken and are not served."""
        self.inherited.append(set(served))
        stray = self.intents - set(served)
        self._due |= dict.fromkeys(stray, trio.current_time())
        await self._answer("inherit")
        return len(stray)

    async def take(self, most: int) -> tuple[Sequence[Due], float]:
        """Take the heads of rooms that are due."""
        now = trio.current_time()
        self.takes.append(now)
        rooms = sorted(
            (room for room in self._due if self._due[room] <= now), key=self._due.__getitem__
        )
        del rooms[most:]
        taken = [
            Due(room, head.id, head.data, room in self.intents)
            for room in rooms
            for head in self.waiting[room][:1]
        ]
        self.intents.update(rooms)
        self._due |= dict.fromkeys(rooms, now + 30)
        await self._answer("take")
        return taken, min(self._due.values(), default=inf) - now

    async def done(
        self,
        due: Due,
        outcome: Outcome,
        *,
        after: float = 0.0,
        reason: str = "",
        more: bool = False,
    ) -> Due | None:
        """Note the report and return the next head, if it may be sent now."""
        following = None
        if self.waiting[due.room] and self.waiting[due.room][0].id == due.id:
            following = self._settle(due, outcome, after, more=more)
            self.reports.append((due.id, outcome))
            self.reasons[due.id] = reason
        await self._answer("done")
        return following

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

    def _settle(self, due: Due, outcome: Outcome, after: float, *, more: bool) -> Due | None:
        waiting, finished = self.waiting[due.room], outcome in {"sent", "dead"}
        if finished:
            del waiting[0]
            if more and waiting:
                return waiting[0]
        if outcome != "doubt":
            self.intents.discard(due.room)
        self._due[due.room] = trio.current_time() + after if waiting else inf
        self._bell.set()
        return None

    async def _answer(self, method: str) -> None:
        if method != "wait":
            await trio.sleep(self.slow)
        if self.fenced:
            raise Fenced("the lease is no longer ours")
        if self.failures[method]:
            raise self.failures[method].pop(0)


AWAY = StoreUnavailable("away")
"""What a lost answer is to whoever asked."""
