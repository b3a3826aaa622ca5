"""Who has to wait: scopes that a chat service has limited, and rooms and scopes that are in trouble.

Whatever may have to wait is a *lane*: a room, by its address, or a scope of an adapter.  Callers pass the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from hachat.core.backoff import backoff

FIRST_WAIT = 1.0
LAST_WAIT = 60.0
"""Seconds between two tries where the service names no time: doubled from the first to the last."""

_ROUNDING = 1e-3  # what is due within a millisecond is due: Redis keeps no finer time


class Scope(NamedTuple):
    """What an adapter counts together; `name` is `adapter` for all that it does."""

    adapter: str
    name: str


Lane: TypeAlias = str | Scope


class Limits:
    """What is known of lanes in trouble; of all others nothing is kept."""

    def __init__(self, dice: Callable[[], float]) -> None:
        self._dice = dice
        self._held: dict[Scope, float] = {}
        self._waits: dict[Lane, Iterator[float]] = {}

    @property
    def trouble(self) -> bool:
        """Whether anything is held or has failed lately; nearly always nothing is."""
        return bool(self._held or self._waits)

    def hold(self, scope: Scope, until: float) -> None:
        """Let nothing of `scope` begin before `until`; an earlier time than it was told before changes nothing."""
        self._held[scope] = max(until, self._held.get(scope, until))

    def wait(self, scopes: Iterable[Scope], now: float) -> float:
        """Return for how many seconds something that belongs to `scopes` has to wait."""
        self._held = {scope: until for scope, until in self._held.items() if until > now}
        until = max((self._held.get(scope, now) for scope in scopes), default=now)
        return until - now if until - now > _ROUNDING else 0.0

    def fail(self, lane: Lane) -> float:
        """Return the seconds until `lane` is tried again: more each time, until it succeeds."""
        waits = self._waits.get(lane)
        if waits is None:
            waits = self._waits[lane] = backoff(FIRST_WAIT, LAST_WAIT, self._dice)
        return next(waits)

    def succeed(self, lanes: Iterable[Lane]) -> None:
        """Forget the trouble of `lanes`; what is held stays so."""
        for lane in lanes:
            self._waits.pop(lane, None)
