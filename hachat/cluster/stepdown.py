"""Stepping down, as asked for from any node: request it, and wait until the successor is confirmed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from math import inf
from typing import Protocol

import trio

from hachat.core.errors import UsageError
from hachat.core.lease import Event, Token


class Election(Protocol):
    """What can be seen of the election, and asked of it, from outside; `hachat.store.lease.LeaseView` is one."""

    async def read_master(self) -> Token | None:
        """Return the token of the present master, or None if there is none."""
        ...

    async def request_step_down(self, token: Token, to: str, reason: str, by: str) -> str:
        """Ask the master to step down; return the id of the request's event."""
        ...

    async def follow(self, hear: Callable[[Event], Awaitable[None]], after: str) -> None:
        """Pass every event after the id `after` to `hear`, for ever."""
        ...


@dataclass(frozen=True, slots=True)
class Succession:
    """A step-down that is done; `gap` is how many seconds nobody held the lease, by Redis's clock."""

    old: Token
    new: Token
    gap: float


class _Observer:
    """Follows one request through the events until it is decided."""

    def __init__(self, old: Token, request: str) -> None:
        self.new: Token | None = None
        self.refusal = ""
        self.decided = trio.CancelScope()
        self.released_at = inf
        self.acquired_at = inf
        self._old = old
        self.request = request

    async def hear(self, event: Event) -> None:
        """Take note of an event; once the request is decided, end the scope `decided`."""
        if event.kind == "released" and event.token == self._old:
            self.released_at = _read_seconds(event.sight.event)
        elif event.kind == "acquired" and event.token != self._old:
            self.new, self.acquired_at = event.token, _read_seconds(event.sight.event)
            self.decided.cancel()
        elif event.kind == "refused" and event.request == self.request:
            self.refusal = event.reason
            self.decided.cancel()


async def step_down(
    election: Election,
    alive: Collection[str],
    *,
    to: str = "",
    reason: str = "step-down",
    by: str = "",
    patience: float = 10.0,
) -> Succession:
    """Move the lease from the present master to the node `to`, or to any other of the nodes `alive`; `by` is who asks.

    Returns once the successor holds the lease.

    Raises:
        UsageError: it cannot be done, or was refused, or no successor was seen within `patience` seconds.
        StoreError: Redis did not answer.
    """
    old = await election.read_master()
    if old is None:
        raise UsageError("nobody is master, so nobody can step down; see `hachat status`")
    _check(old.node, alive, to)
    observer = _Observer(old, await election.request_step_down(old, to, reason, by))
    observer.decided.deadline = trio.current_time() + patience
    with observer.decided:
        await election.follow(observer.hear, observer.request)
    return _conclude(observer, old, to, patience)


def _check(master: str, alive: Collection[str], to: str) -> None:
    others = sorted(set(alive) - {master})
    if to == master:
        raise UsageError(f"{to} is the master already")
    if to and to not in others:
        raise UsageError(
            f"{to} is not alive, so it cannot take over; alive are {', '.join(others) or 'no others'}"
        )
    if not others:
        raise UsageError(f"{master} is the only node alive, so nobody could take over")


def _conclude(observer: _Observer, old: Token, to: str, patience: float) -> Succession:
    new = observer.new
    if observer.refusal:
        raise UsageError(f"{old.node} refused to step down: {observer.refusal}")
    if new is None and observer.released_at == inf:
        raise UsageError(
            f"{old.node} did not step down within {patience:g} s; it may still be finishing its work"
        )
    if new is None:
        raise UsageError(f"{old.node} has stepped down, but nobody took over within {patience:g} s")
    if to and new.node != to:
        raise UsageError(
            f"{new.node} has taken over from {old.node}, not {to}; see the logs of {to}"
        )
    return Succession(old, new, max(0.0, observer.acquired_at - observer.released_at))


def _read_seconds(event: str) -> float:
    return int(event.partition("-")[0]) / 1000
