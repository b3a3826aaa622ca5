"""A walk through the outbound queue, beside that through the inbound one, which fills it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from hachat.core.errors import Fenced, StoreRefused
from hachat.store.embedded import Server
from hachat.store.outbound import Due, Outbound, Outcome, Report
from tests.store.instant import now
from tests.store.mutations import Mutation
from tests.store.walk_inbound import InboundWalk

_LATER = 1000.0
"""Seconds that never pass."""


@dataclass
class Master:
    """A term: its queue, and the heads it believes to have taken."""

    queue: Outbound
    taken: dict[str, Due] = field(default_factory=dict)


class Walk(InboundWalk):
    """Both queues, with the nodes and the masters."""

    def __init__(self, server: Server, mutation: Mutation | None = None) -> None:
        super().__init__(server, mutation)
        self.masters: dict[str, Master] = {}
        self.succeed()

    def succeed(self) -> None:
        """Let another master follow."""
        token = f"n/b/0.{next(self.numbers)}"
        self.masters[token] = Master(Outbound(self.link, self.keys, token))
        self.outbound.lease = token
        self.arrange("SET", self.keys.of("lease"), token)

    def send(
        self, token: str, outcomes: Sequence[tuple[Outcome, bool]], most: int, *, heard: bool = True
    ) -> None:
        """Let a master report what it has taken, as far as there are outcomes, and take more."""
        master = self.masters[token]
        reports = [
            Report(due, outcome, _LATER if later else 0.0)
            for due, (outcome, later) in zip(master.taken.values(), outcomes, strict=False)
        ]
        self._send(token, reports, most, heard=heard)
        self.again = partial(self._send, token, reports, 0, heard=heard)

    def inherit(self, token: str) -> None:
        """Let a master ask for the rooms that somebody may be sending to."""
        try:
            now(self.masters[token].queue.inherit())
        except Fenced:
            assert token != self.outbound.lease
        else:
            assert token == self.outbound.lease
            self.outbound.inherit()

    def wait(self) -> None:
        """Let time pass, until all rooms are due that have to wait."""
        for room in self.outbound.deferred:
            self.arrange("ZADD", self.keys.of("outready"), "XX", 0, room)
        self.outbound.make_due(set(self.outbound.deferred))

    def _send(self, token: str, reports: Sequence[Report], most: int, *, heard: bool) -> None:
        taken = self._ask(token, reports, most)
        believed = self.masters[token].taken
        for report in reports:
            room = report.due.room
            if self.keys.outbox(room) not in self.planted:
                later = report.after > 0
                self.outbound.report(token, room, report.due.id, report.outcome, later=later)
                if heard:
                    believed.pop(room, None)
        for due in taken:
            assert self.outbound.take(token, due.room) == (due.id, due.in_doubt)
            if heard:
                believed[due.room] = due

    def _ask(self, token: str, reports: Sequence[Report], most: int) -> Sequence[Due]:
        leads = token == self.outbound.lease
        try:
            taken, _ = now(self.masters[token].queue.turn(reports, most))
        except Fenced:
            assert not leads
            return ()
        except StoreRefused as error:
            raise AssertionError("what is sent frees memory, so it must go on without") from error
        assert leads
        return taken
