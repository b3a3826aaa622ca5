"""The lease scripts and a Redis that loses what was not replicated, in plain Python and in memory.

`tests/store/test_lease.py` holds it to the real scripts: both are asked the same questions and must answer alike.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from math import inf
from typing import Any

import trio

from hachat.core.errors import StoreUnavailable
from hachat.core.lease import (
    HAND_OVER,
    Answer,
    Ask,
    Changed,
    Event,
    EventKind,
    Granted,
    Refused,
    Sight,
    Token,
)

_KEPT = 50

_AGAIN = 5.0
"""Seconds after which who is refused by an order asks again at the latest."""


@dataclass(frozen=True)
class Rules:
    """The rules that the scripts keep; a test breaks one of them to see that it is needed."""

    silence: bool = True
    identity: bool = True
    sight: bool = True
    renew_compares_token: bool = True
    renew_reads_record: bool = True
    fence_is_equality: bool = True


@dataclass
class State:
    """What a server holds; `until` and the other times are seconds of the simulation."""

    lease: Token | None = None
    until: float = -inf
    holder: Token | None = None
    held: bool = False
    config_epoch: int = 0
    epoch: int = 0
    ttl: float = 0.0
    lock_delay: float = 0.0
    identity: str = ""
    heir: str = ""
    heir_until: float = 0.0
    barred: str = ""
    barred_until: float = 0.0
    events: tuple[Event, ...] = ()
    orders: dict[str, float] = field(default_factory=dict)
    """What operators have ordered, and until when."""


@dataclass
class FakeServer:
    """One Redis server; `config_epoch` is what whoever talks to it knows of failovers."""

    clock: Callable[[], float]
    run_id: str = "a"
    config_epoch: int = 0
    skew: float = 0.0
    writable: bool = True
    """False while there are fewer replicas than `min-replicas-to-write`: only what would write is refused."""
    state: State = field(default_factory=State)
    rules: Rules = field(default_factory=Rules)
    past: list[tuple[float, State]] = field(default_factory=list)
    news: trio.Event = field(default_factory=trio.Event)

    @property
    def identity(self) -> str:
        """What candidates watch for a change."""
        return f"{self.run_id}@{self.config_epoch}"

    @property
    def newest(self) -> str:
        """The id of the newest event."""
        return self.state.events[-1].sight.event if self.state.events else "0-0"

    def acquire(self, ask: Ask) -> Answer:
        """Answer as `lease_acquire.lua`."""
        if self.rules.sight and ask.sight != Sight(self.newest, self.identity):
            return Changed(Sight(self.newest, self.identity))
        lease = self._find_lease()
        quiet = max(ask.timing.ttl, self.state.ttl) - ask.silence
        if _is_another(lease, ask) and self.rules.silence and quiet > 0:
            return Refused("HELD", quiet)
        return (
            self._obey(ask)
            or self._doubt(ask)
            or self._keep_for_heir(ask)
            or Granted(self._grant(ask))
        )

    def renew(self, token: Token, ttl: float) -> bool:
        """Answer as `lease_renew.lua`."""
        self._require_replicas()
        state, lease = self.state, self._find_lease()
        named = state.holder == token and state.held
        kept = lease == token or (lease is None and (named or not self.rules.renew_reads_record))
        if not kept and self.rules.renew_compares_token:
            return False
        state.lease, state.until = token, self.clock() + ttl
        if state.holder == token:
            state.identity = self.identity
        self.announce("renewed", token)
        return True

    def release(self, token: Token, heir: str, barred: float, reason: str) -> bool:
        """Answer as `lease_release.lua`."""
        state, lease = self.state, self._find_lease()
        if state.holder != token or lease not in (token, None):
            return False
        if state.held:
            self._require_replicas()
            now = self.clock()
            state.lease, state.held, state.heir, state.heir_until = (
                None,
                False,
                heir,
                now + HAND_OVER,
            )
            state.barred, state.barred_until = (
                f"{token.node}/{token.boot}" if barred else "",
                now + barred,
            )
            self.announce("released", token, to=heir, reason=reason)
        return True

    def order(self, name: str, until: float | None = inf) -> bool:
        """Answer as `control.lua`: order something, or, without `until`, take it back."""
        if self.state.orders.get(name) == until:
            return False
        kept = {
            other: end
            for other, end in self.state.orders.items()
            if other != name and end > self.clock()
        }
        self.state.orders = kept if until is None else {**kept, name: until}
        self.announce("control", None)
        return True

    def step_down(self, to: str, **fields: Any) -> None:
        """Answer as `lease_step_down.lua` when asked to move the present master."""
        if (lease := self._find_lease()) is not None:
            request = f"request after {self.newest}"
            self.announce("step-down", lease, **{"request": request, "to": to, **fields})

    def forget(self) -> None:
        """Lose the key alone, as by a `DEL` or a clock that was set forward."""
        self.state.lease = None
        self._changed()

    def accepts(self, token: Token) -> bool:
        """Answer as a script that is fenced with `token`."""
        lease = self._find_lease()
        return lease == token if self.rules.fence_is_equality else lease is None or token >= lease

    def holds(self, token: Token) -> bool:
        """Return whether `token` is the lease at this moment."""
        return self._find_lease() == token

    def _find_lease(self) -> Token | None:
        return self.state.lease if self.clock() < self.state.until else None

    def _obey(self, ask: Ask) -> Refused | None:
        state = self.state
        if wait := self._ordered(f"drain:{ask.node}"):
            return Refused("DRAINED", wait)
        if wait := self._ordered(f"hold:{ask.node}"):
            return Refused("HOLD", wait)
        released = state.holder is not None and not state.held
        named = released and state.heir == ask.node and state.heir_until > self.clock()
        last = state.holder is not None and state.holder.node == ask.node
        wait = self._ordered("pause")
        return Refused("PAUSED", wait) if wait and not named and not last else None

    def _ordered(self, name: str) -> float:
        left = self.state.orders.get(name, -inf) - self.clock()
        return min(max(0.0, left), _AGAIN)

    def _doubt(self, ask: Ask) -> Refused | None:
        state, wait = self.state, 0.0
        known = state.holder is not None or ask.floor > 0 or self.config_epoch > 0
        if state.identity != self.identity and known and self.rules.identity:
            wait = max(ask.timing.lock_delay, state.lock_delay) - ask.age
        if state.held and _is_another(state.holder, ask) and self.rules.silence:
            wait = max(wait, max(ask.timing.ttl, state.ttl) - ask.silence)
        stale = state.config_epoch > self.config_epoch
        return Refused("STALE_VIEW" if stale else "WAIT", wait) if wait > 0 else None

    def _keep_for_heir(self, ask: Ask) -> Refused | None:
        state, now = self.state, self.clock()
        if state.held or state.holder is None or state.heir == ask.node:
            return None
        if state.heir and state.heir_until > now:
            return Refused("HANDOFF", state.heir_until - now)
        if state.barred == f"{ask.node}/{ask.boot}" and state.barred_until > now:
            return Refused("VETO", state.barred_until - now)
        return None

    def _require_replicas(self) -> None:
        if not self.writable:
            raise StoreUnavailable("NOREPLICAS")

    def _grant(self, ask: Ask) -> Token:
        self._require_replicas()
        state, now = self.state, self.clock()
        state.epoch = max(state.epoch, ask.floor, int((now + self.skew) * 1000)) + 1
        state.config_epoch = max(state.config_epoch, self.config_epoch)
        token = Token(state.config_epoch, state.epoch, ask.node, ask.boot)
        state.lease, state.until, state.holder, state.held = (
            token,
            now + ask.timing.ttl,
            token,
            True,
        )
        state.ttl, state.lock_delay, state.identity, state.heir = (
            ask.timing.ttl,
            ask.timing.lock_delay,
            self.identity,
            "",
        )
        self.announce("acquired", token)
        return token

    def announce(self, kind: EventKind, token: Token | None = None, **fields: Any) -> None:
        """Add an event to the stream."""
        self._require_replicas()
        last, _, sequence = self.newest.partition("-")
        now = int((self.clock() + self.skew) * 1000)
        event = f"{now}-0" if now > int(last) else f"{last}-{int(sequence) + 1}"
        entry = Event(kind, Sight(event, self.identity), token, **fields)
        self.state.events = (*self.state.events[-_KEPT:], entry)
        self._changed()

    def _changed(self) -> None:
        self.past.append((self.clock(), copy(self.state)))
        self.news.set()
        self.news = trio.Event()


def _is_another(token: Token | None, ask: Ask) -> bool:
    return token is not None and (token.node, token.boot) != (ask.node, ask.boot)
