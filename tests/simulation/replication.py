"""What servers send to their replicas and to whoever listens, and whom they keep waiting meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hachat.core.errors import StoreUnavailable
from hachat.core.lease import Event
from tests.cluster.fake_lease import State
from tests.simulation.network import Host
from tests.simulation.timeline import Action, Timeline

Reply = Callable[[Any], None]

WAIT_TIME = 0.2
"""Seconds a WAIT lasts at most."""


@dataclass(frozen=True, slots=True)
class Copy:
    """All of a server's data at one moment.  Replication sends it whole; the order of the copies is what matters."""

    history: int
    offset: int
    state: State
    written: int


class Follower(Protocol):
    """A connection that waits for events."""

    host: Host

    def push(self, event: Event) -> None:
        """Send an event on its way."""
        ...

    def hang_up(self) -> None:
        """Send the end of the connection on its way."""
        ...


@dataclass(slots=True, eq=False)
class _Wait:
    offset: int
    replicas: int
    answer: Any
    reply: Reply


class Waits:
    """Answers that are held back until enough replicas have what they tell of."""

    def __init__(self, timeline: Timeline, when_awake: Callable[[Action], None]) -> None:
        self._timeline, self._when_awake = timeline, when_awake
        self._waits: list[_Wait] = []

    def add(self, offset: int, replicas: int, reply: Reply, *, answer: Any) -> None:
        """Give `answer` once `replicas` have all up to `offset`, or say in time that they have not."""
        if not replicas:
            reply(answer)
            return
        wait = _Wait(offset, replicas, answer, reply)
        self._waits.append(wait)
        self._timeline.after(WAIT_TIME, lambda: self._give_up(wait))

    def settle(self, known: Sequence[int]) -> None:
        """Take note of up to where each replica has everything."""
        for wait in list(self._waits):
            if sum(offset >= wait.offset for offset in known) >= wait.replicas:
                self._waits.remove(wait)
                wait.reply(wait.answer)

    def drop(self) -> None:
        """Close all connections."""
        waits, self._waits = self._waits, []
        for wait in waits:
            wait.reply(StoreUnavailable("the connection was closed"))

    def _give_up(self, wait: _Wait) -> None:
        if wait in self._waits:
            self._waits.remove(wait)
            self._when_awake(lambda: wait.reply(StoreUnavailable("too few replicas")))


def by_age(event: str) -> tuple[int, int]:
    """Return the id of an event as what its order follows from."""
    milliseconds, _, sequence = event.partition("-")
    return int(milliseconds), int(sequence)
