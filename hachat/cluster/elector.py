"""The elector: campaigns for the lease, and keeps one cancel scope exactly as long as it holds it.

A term of office is a cancel scope whose deadline is the lease's own.  Each renewal moves it; if renewals stop, it
falls by itself, before anybody else can have taken the lease.  There is no flag that says "I am master".
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog
import trio

from hachat.cluster import handover, requests
from hachat.cluster.handover import (
    Choose,
    Heir,
    Successors,
    Warm,
    choose_anybody,
    keep_nothing,
)
from hachat.cluster.health import Patience
from hachat.cluster.requests import Requests
from hachat.cluster.term import Clock, Duty, Term, read_clock
from hachat.core.backoff import backoff
from hachat.core.errors import Fenced, StoreError
from hachat.core.lease import RETRY, Answer, Ask, Cause, Event, Granted, Lease, Sight, Token, Watch
from hachat.core.timing import Timing

log = structlog.get_logger(__name__)

T = TypeVar("T")

_TICK = 0.001


class LeaseStore(handover.Store, requests.Store, Protocol):
    """The lease's home, as an elector uses it; every method but `follow` may raise `StoreError`."""

    async def acquire(self, ask: Ask) -> Answer:
        """Ask for the lease."""
        ...

    async def renew(self, token: Token) -> bool:
        """Keep the lease; False if it is not held under `token` any more."""
        ...

    async def release(
        self, token: Token, heir: str, barred: float, reason: str, *, cause: Cause, by: str
    ) -> bool:
        """Give the lease back; False if it was not held under `token`."""
        ...

    async def follow(self, hear: Callable[[Event], Awaitable[None]]) -> None:
        """Pass every event to `hear`, for ever."""


def longest_release(timing: Timing) -> float:
    """Return the seconds that are spent at most on giving the lease back."""
    return 3 * timing.op_timeout


class Elector:
    """One node's part in the election.

    `choose` tells who may succeed this node, `warm` is how it gets ready to succeed another.  `delay(node)` returns for how
    many seconds others go first when that node gave the lease back to nobody in particular.  `on_order` is called when
    operators may have ordered something.  Who is no `candidate` never asks for the lease.
    `floor` is the highest epoch that an earlier process of this node knew of.  `on_held` is called with the token as a term
    begins, and with an empty text when its lease is surely not held any more.
    """

    def __init__(
        self,
        store: LeaseStore,
        node: str,
        boot: str,
        timing: Timing,
        *,
        clock: Clock = read_clock,
        random: Callable[[], float] = random.random,
        choose: Choose = choose_anybody,
        warm: Warm = keep_nothing,
        delay: Callable[[str], float] = lambda _: 0.0,
        on_order: Callable[[], None] = lambda: None,
        candidate: bool = True,
        floor: int = 0,
        on_held: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._on_held = on_held
        self._timing = timing
        self._clock = clock
        self._random = random
        self._successors = Successors(store, choose)
        self._heir = Heir(store, node, warm)
        self._patience = Patience()
        self._delay = delay
        self._on_order = on_order
        self._candidate = candidate
        self._watch = Watch(node, boot, timing, floor)
        self._wake = trio.Event()
        self._term: Term | None = None
        self._untold: Term | None = None
        self._requests: Requests
        self._trouble = ""

    @property
    def term(self) -> Term | None:
        """The present term, if its lease lasts at this moment."""
        return self._term if self._term is not None and self._term.remaining() else None

    @property
    def floor(self) -> int:
        """The highest epoch this node knows of."""
        return self._watch.floor

    async def run(
        self, duty: Duty, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Campaign for ever, and do `duty` in each term; a duty that fails is retried in another term, later."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._store.follow, self._hear)
            nursery.start_soon(self._heir.run)
            task_status.started()
            if not self._candidate:
                await trio.sleep_forever()
            waits = backoff(1.0, 60.0, self._random)
            while True:
                if await self._serve(await self._campaign(), duty):
                    waits = backoff(1.0, 60.0, self._random)
                else:
                    await trio.sleep(next(waits))

    async def resign(self, to: str = "", reason: str = "resigned") -> None:
        """End the present term, if any, because this node leaves, in favour of `to` or of the best successor.

        Where none is ready soon, anyone may take over.  Returns once the lease is given back.
        """
        if (term := self._term) is not None:
            if not term.leaving.is_set():
                heir = await self._successors.find_soon(term.lease.token, to)
                if heir:
                    with trio.move_on_after(self._timing.op_timeout):
                        await term.confirm()
                term.leave(heir, self._timing.bar, reason, "shutdown")
            await term.over.wait()

    def step_aside(self, reason: str, by: str = "") -> None:
        """End the present term, if any, because `by` does not want this node to be master, in favour of whoever is ready."""
        if (term := self.term) is not None:
            sight = Sight("", "")
            order = Event("step-down", sight, term.lease.token, reason=reason, by=by, force=True)
            self._requests.follow(order)

    async def _campaign(self) -> Lease:
        while True:
            await self._wait_until_due()
            sent = self._clock()
            match await self._answer(self._store.acquire(self._watch.ask(sent))):
                case None:
                    self._watch.doubt(self._clock())
                case Granted(token):
                    self._untold = None
                    self._watch.hold(token)
                    return Lease(token, self._timing, sent, self._random())
                case answer:
                    self._watch.refuse(answer, self._clock())
                    if self._untold is not None:
                        await self._release(self._untold)

    async def _wait_until_due(self) -> None:
        while (wait := self._watch.due - self._clock()) > 0:
            self._wake = trio.Event()
            with trio.move_on_after(max(wait, _TICK)):
                await self._wake.wait()

    async def _serve(self, lease: Lease, duty: Duty) -> bool:
        """Return whether the term ended as terms should."""
        self._term = term = Term(lease, self._clock)
        self._requests = Requests(self._store, self._successors, self._timing, term, lease.token)
        # `clock` compares across the nodes of one machine, where the time of day may jump.
        log.info("took the lease", epoch=term.epoch, term=term.token, clock=self._clock())
        self._on_held(term.token)
        fine = False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep, term)
                nursery.start_soon(self._requests.run)
                nursery.start_soon(term.health.watch, self._patience, self._requests.hand_over)
                nursery.start_soon(term.guard)
                fine = await self._act(term, duty)
                nursery.cancel_scope.cancel()
        finally:
            # Only here, with the nursery closed, is every task that trusted the lease gone.
            until = term.lease.until if term.lease.until > -math.inf else None
            log.info("leads no more", epoch=term.epoch, clock=self._clock(), until=until)
            with trio.move_on_after(longest_release(self._timing), shield=True):
                await self._say_goodbye(term)
            self._term = None
            term.over.set()
        return fine

    async def _act(self, term: Term, duty: Duty) -> bool:
        failure: tuple[str, Cause] | None = None
        with term.scope:
            try:
                # A scope whose deadline has passed cancels at a checkpoint, and not before.
                await trio.lowlevel.checkpoint()
                await duty(term)
            except* Fenced:
                failure = "fenced", "fenced"
                log.warning("a write was refused: the lease is not ours", epoch=term.epoch)
            except* Exception:
                failure = "duty failed", "failed"
                log.exception("the master's duty failed; giving the lease back", epoch=term.epoch)
        if term.scope.cancelled_caught:
            term.reason, term.cause = "lost", term.lease.why_lost
        elif failure or not term.leaving.is_set():
            term.reason, term.cause = failure or ("duty ended", "ended")
            return False
        return True

    async def _keep(self, term: Term) -> None:
        """Renew until the lease is lost, and let the scope fall with it."""
        lease = term.lease
        while term.remaining():
            with trio.move_on_after(max(_TICK, lease.due - self._clock())):
                await term.wanted.wait()
            term.wanted = trio.Event()
            sent = self._clock()
            match await self._answer(self._store.renew(lease.token)):
                case None:
                    lease.doubt(self._clock())
                case True:
                    lease.confirm(sent, self._clock(), self._random())
                    term.confirmed.set()
                    term.confirmed = trio.Event()
                case False:
                    lease.lose(self._clock())
            term.follow_clock()
        log.warning("the lease is lost", epoch=term.epoch)
        term.scope.cancel()

    async def _say_goodbye(self, term: Term) -> None:
        self._untold = term
        while True:
            if await self._release(term):
                return
            await trio.sleep(RETRY)

    async def _release(self, term: Term) -> bool:
        """Return whether Redis has heard that the term is over; if it is lost to another, the history then knows why."""
        token, heir, reason = term.lease.token, term.heir, term.reason
        cause, by = term.cause, term.by
        released = self._store.release(token, heir, term.barred, reason, cause=cause, by=by)
        if await self._answer(released) is None:
            return False
        self._untold = None
        self._on_held("")
        log.info("the term is over", epoch=term.epoch, to=heir, reason=reason, cause=cause)
        return True

    async def _answer(self, question: Awaitable[T]) -> T | None:
        """Return the answer, or None if there was none in time."""
        with trio.move_on_after(self._timing.op_timeout):
            try:
                answer = await question
            except StoreError as error:
                self._complain(str(error))
            else:
                self._trouble = ""
                return answer
        return None

    def _complain(self, trouble: str) -> None:
        # Once, not twenty times a second.
        if trouble != self._trouble:
            log.warning("no answer about the lease", error=trouble)
        self._trouble = trouble

    async def _hear(self, event: Event) -> None:
        self._watch.hear(event, self._clock())
        if event.kind == "released" and event.token is not None and not event.to:
            self._watch.due += self._delay(event.token.node)
        if event.kind in ("connected", "control"):
            self._on_order()
        self._wake.set()
        self._successors.hear(event)
        self._heir.hear(event)
        term = self.term
        if event.kind == "step-down" and term is not None and event.token == term.lease.token:
            await self._requests.take(event)
