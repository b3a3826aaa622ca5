"""The hand-over before the lease moves: the master has a successor get ready, and the successor does.

::

    master                                  successor
    `prepare`  ───────────────────────────►  connects ahead, where a service lets it
               ◄───────────────────────────  `ready`, or `refused` and why
    ends its work, gives the lease back     takes the lease, goes on with what is connected
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, Protocol

import structlog
import trio

from hachat.core.errors import (
    HachatError,
    StepDownCode,
    StepDownRefused,
    StoreError,
    StoreUnavailable,
)
from hachat.core.lease import HAND_OVER, Event, Token
from hachat.core.timing import Timing

log = structlog.get_logger(__name__)

PREPARE = 5.0
"""Seconds a successor has to get ready."""

AGAIN = 0.5
"""Seconds after which it is asked again, for it may have begun to listen only now, or Redis may have failed over."""

LEAVE = 1.0
"""Seconds it has when its predecessor has been told to end."""

WARM = HAND_OVER + 7.0
"""Seconds a successor stays ready: for what the master has still in flight, and for the lease that is kept for it."""

Choose = Callable[[str], Awaitable[Sequence[str]]]
"""Returns who may succeed, the best first, or the one that is named; "" is anybody; raises StepDownRefused, StoreError."""


class Warm(Protocol):
    """Connects ahead and calls `started()`, then keeps that until it is cancelled or used up."""

    def __call__(self, *, task_status: trio.TaskStatus[None]) -> Awaitable[None]:
        """Run it; what it raises before or after `started()` may come in groups."""
        ...


class Store(Protocol):
    """How master and successor talk; each may raise `StoreError`."""

    async def prepare(self, token: Token, heir: str, request: str) -> None:
        """Ask a node to get ready."""
        ...

    async def ready(self, request: str) -> None:
        """Answer that this node is."""
        ...

    async def refuse(self, request: str, reason: str, code: StepDownCode) -> None:
        """Answer that it cannot."""
        ...


def longest_resign(timing: Timing) -> float:
    """Return the seconds that pass at most until a term that is resigned is told to end: a successor, a last renewal."""
    return LEAVE + timing.op_timeout


async def choose_anybody(to: str) -> Sequence[str]:
    """Return whoever is named, unseen."""
    return [to]


async def keep_nothing(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Be ready at once, with nothing to keep."""
    task_status.started()
    await trio.sleep_forever()


class Successors:
    """The master's side: finds a successor that is ready."""

    def __init__(self, store: Store, choose: Choose = choose_anybody) -> None:
        self._store = store
        self._choose = choose
        self._numbers = count(1)
        self._waiting: dict[str, list[str]] = {}
        self._news = trio.Event()

    def hear(self, event: Event) -> None:
        """Take note of an answer."""
        if event.kind in ("ready", "refused") and event.request in self._waiting:
            fault = event.reason or "no reason" if event.kind == "refused" else ""
            self._waiting[event.request].append(fault)
            self._news.set()
            self._news = trio.Event()

    async def find(self, token: Token, to: str, within: float) -> str:
        """Return a node that is ready to succeed the master `token`: `to`, if named, or the best; "" is anybody.

        Each has `within` seconds to get ready.

        Raises:
            StepDownRefused: there is none.
            StoreError: Redis did not answer, or said no.
        """
        faults: list[str] = []
        for name in await self._choose(to):
            fault = await self._prepare(token, name, within) if name else ""
            if not fault:
                return name
            log.warning("a successor is not ready", node=name, reason=fault)
            faults.append(f"{name} is not ready: {fault}")
        raise StepDownRefused("; ".join(faults), "ineligible" if to else "no successor")

    async def find_soon(self, token: Token, to: str) -> str:
        """Return what `find` does, or, if there is none within `LEAVE` seconds, "" for anybody."""
        with trio.move_on_after(LEAVE):
            try:
                return await self.find(token, to, LEAVE * 0.7)
            except (StepDownRefused, StoreError) as error:
                log.warning("leaving without a successor", reason=str(error))
        return ""

    async def _prepare(self, token: Token, heir: str, within: float) -> str:
        """Return why `heir` is not ready, or an empty text once it is."""
        request = f"{token}#{next(self._numbers)}"
        answers = self._waiting[request] = []
        try:
            with trio.move_on_after(within):
                while not answers:
                    await self._ask(token, heir, request)
                    with trio.move_on_after(AGAIN):
                        await self._news.wait()
        finally:
            del self._waiting[request]
        return answers[0] if answers else f"no answer within {within:g} s"

    async def _ask(self, token: Token, heir: str, request: str) -> None:
        try:
            await self._store.prepare(token, heir, request)
        except StoreUnavailable as error:
            log.warning("cannot ask a successor yet", node=heir, error=str(error))


class Heir:
    """The successor's side: gets ready when the master asks for it, and stays so for a while."""

    def __init__(self, store: Store, node: str, warm: Warm = keep_nothing) -> None:
        self._store = store
        self._node = node
        self._warm = warm
        self._requests: list[str] = []
        self._asked = trio.Event()

    def hear(self, event: Event) -> None:
        """Take note of being asked to get ready."""
        if event.kind == "prepare" and event.to == self._node:
            if event.request not in self._requests:
                self._requests.append(event.request)
            self._asked.set()

    async def run(self) -> None:
        """Get ready whenever the master asks, for ever."""
        while True:
            await self._asked.wait()
            try:
                await self._get_ready()
            except* (OSError, HachatError) as group:
                await self._refuse(_tell(group))
            except* Exception:
                log.exception("cannot get ready to become master")
                await self._refuse("an error of its own; see its log")

    async def _get_ready(self) -> None:
        log.info("getting ready to become master")
        answered = trio.Event()
        with trio.move_on_after(PREPARE) as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._stay_ready, answered, scope)
                while True:
                    scope.deadline = trio.current_time() + WARM
                    await self._answer(self._store.ready)
                    answered.set()
                    await self._asked.wait()
        if not answered.is_set():
            await self._refuse(f"its chat services took longer than {PREPARE:g} s")

    async def _stay_ready(
        self,
        answered: trio.Event,
        scope: trio.CancelScope,
        *,
        task_status: trio.TaskStatus[None],
    ) -> None:
        await self._warm(task_status=task_status)
        # Used up, or there was nothing to keep: who asked next is answered anew, but who asked now is answered first.
        await answered.wait()
        scope.cancel()

    async def _refuse(self, reason: str) -> None:
        log.warning("not ready to become master", reason=reason)

        async def refuse(request: str) -> None:
            await self._store.refuse(request, reason, "ineligible")

        await self._answer(refuse)

    async def _answer(self, say: Callable[[str], Awaitable[Any]]) -> None:
        requests, self._requests = self._requests, []
        self._asked = trio.Event()
        for request in requests:
            try:
                await say(request)
            except StoreError as error:
                log.warning("cannot answer the master", error=str(error))


def _tell(group: BaseExceptionGroup[BaseException]) -> str:
    return "; ".join(
        _tell(error)
        if isinstance(error, BaseExceptionGroup)
        else str(error) or type(error).__name__
        for error in group.exceptions
    )
