"""Stepping down, as asked for from any node: request it, and wait until the successor is confirmed."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Protocol, TypeVar, cast, get_args

import trio

from hachat.core.errors import StepDownCode, StepDownRefused, StoreError, StoreUnavailable
from hachat.core.lease import Event, Token
from hachat.core.phrases import Phrase
from hachat.core.stepdown import Order

T = TypeVar("T")

AGAIN = 0.1
"""Seconds after which Redis is asked again that did not answer."""

Find = Callable[[str, str], Awaitable[Sequence[str]]]
"""Returns who may succeed the node that is named first, of the second's name if that is not empty; raises as `find_candidates`."""


class Election(Protocol):
    """What can be seen of the election, and asked of it, from outside; `hachat.store.lease.LeaseView` is one."""

    async def read_master(self) -> Token | None:
        """Return the token of the present master, or None if there is none."""
        ...

    async def request_step_down(self, token: Token, request: str, order: Order) -> str:
        """Ask the master to step down; return the id of the request's event."""
        ...

    async def follow(self, hear: Callable[[Event], Awaitable[None]], after: str) -> None:
        """Pass every event after the id `after` to `hear`, for ever."""
        ...


@dataclass(frozen=True, slots=True)
class Succession:
    """A step-down that is done; `gap` is how many seconds nobody held the lease, by Redis's clock.

    It is None where the old master was lost before it could give the lease back.
    """

    old: Token
    new: Token
    gap: float | None


class _Observer:
    """Follows one request through the events until it is decided."""

    def __init__(self, old: Token, request: str, ask: Callable[[], Awaitable[object]]) -> None:
        self.new: Token | None = None
        self.refusal: tuple[str, StepDownCode] | None = None
        self.decided = trio.CancelScope()
        self.released_at = inf
        self.acquired_at = inf
        self._old = old
        self._request = request
        self._ask = ask

    async def hear(self, event: Event) -> None:
        """Take note of an event; once the request is decided, end the scope `decided`."""
        if event.kind == "connected":
            # Another server may have lost the request; asked again, it is still one.
            with suppress(StoreError, StepDownRefused):
                await self._ask()
        elif event.kind == "released" and event.token == self._old:
            self.released_at = _read_seconds(event.sight.event)
        elif event.kind == "acquired" and event.token is not None and event.token > self._old:
            self.new, self.acquired_at = event.token, _read_seconds(event.sight.event)
            self.decided.cancel()
        elif event.kind == "refused" and event.request == self._request:
            known = event.code in get_args(StepDownCode)
            code = cast("StepDownCode", event.code) if known else "failed"
            self.refusal = event.reason, code
            self.decided.cancel()


async def step_down(
    election: Election, find: Find, order: Order, *, leaver: str = "", patience: float = 10.0
) -> Succession:
    """Move the lease from the present master, which must be `leaver` if that is named, as `order` says.

    Returns once the successor holds the lease.  While Redis does not answer it is asked again.

    Raises:
        StepDownRefused: it cannot be done, or was refused, or no successor was seen within `patience` seconds.
        StoreError: Redis did not answer for so long, or said no.
    """
    give_up = trio.current_time() + patience
    old = check_master(await insist(election.read_master, give_up), leaver)
    if not order.force:
        await insist(lambda: find(old.node, order.to), give_up)
    request = secrets.token_hex(8)

    async def ask() -> str:
        return await election.request_step_down(old, request, order)

    after = await insist(ask, give_up)
    observer = _Observer(old, request, ask)
    observer.decided.deadline = give_up
    with observer.decided:
        await election.follow(observer.hear, after)
    if observer.new is None and observer.refusal is None:
        await _look_again(election, observer, old)
    return _conclude(observer, old, order.to, patience)


def check_master(master: Token | None, leaver: str) -> Token:
    """Return the master, unless there is none, or, where it is named, another than the `leaver`.

    Raises:
        StepDownRefused: that is so.
    """
    if master is None:
        raise StepDownRefused(
            Phrase("nobody is master, so nobody can step down; see `hachat status`"), "no master"
        )
    if leaver and master.node != leaver:
        raise StepDownRefused(
            Phrase("{master} is master, not {node}", master=master.node, node=leaver), "changed"
        )
    return master


async def insist(question: Callable[[], Awaitable[T]], give_up: float) -> T:
    """Return the answer to a question that is safe to repeat, asked until the time `give_up`.

    Raises:
        StoreError: there was none until then, or Redis said no.
    """
    while True:
        try:
            return await question()
        except StoreUnavailable:
            if trio.current_time() + AGAIN >= give_up:
                raise
        await trio.sleep(AGAIN)


async def _look_again(election: Election, observer: _Observer, old: Token) -> None:
    """Note a successor that no event has told of: they may be lost when Redis fails over."""
    with suppress(StoreError):
        master = await election.read_master()
        if master is not None and master > old:
            observer.new = master


def _conclude(observer: _Observer, old: Token, to: str, patience: float) -> Succession:
    new, released = observer.new, observer.released_at < inf
    if observer.refusal:
        reason, code = observer.refusal
        raise StepDownRefused(
            Phrase("{node} refused to step down: {reason}", node=old.node, reason=reason), code
        )
    if new is None and not released:
        raise StepDownRefused(
            Phrase(
                "{node} did not step down within {seconds:g} s; it may still be finishing its work",
                node=old.node,
                seconds=patience,
            ),
            "unanswered",
        )
    if new is None:
        raise StepDownRefused(
            Phrase(
                "{node} has stepped down, but nobody took over within {seconds:g} s",
                node=old.node,
                seconds=patience,
            ),
            "not taken over",
        )
    if new.node == old.node or (to and new.node != to):
        raise StepDownRefused(_tell_who(new.node, old.node, to), "not taken over")
    seen = released and observer.acquired_at < inf
    return Succession(
        old, new, max(0.0, observer.acquired_at - observer.released_at) if seen else None
    )


def _tell_who(new: str, old: str, to: str) -> Phrase:
    """Return that another node is master than was wanted: `to`, or, without a name, any but the `old` one."""
    now = Phrase("{node} is master again", node=new)
    if new != old:
        now = Phrase("{node} has taken over from {old}", node=new, old=old)
    if not to:
        return now
    return Phrase("{now}, not {node}; see the logs of {node}", now=now, node=to)


def _read_seconds(event: str) -> float:
    return int(event.partition("-")[0]) / 1000
