"""The requests to step down that a master is sent: the first is followed, those that come meanwhile are refused.

A master that cannot do its duty ends its term in the same way, without being asked.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import structlog
import trio

from hachat.cluster.handover import PREPARE, Successors
from hachat.cluster.stepdown import insist
from hachat.core.errors import StepDownCode, StepDownRefused, StoreError, UsageError
from hachat.core.lease import Cause, Event, Token
from hachat.core.timing import Timing

log = structlog.get_logger(__name__)


class Store(Protocol):
    """What the master says about it; each may raise `StoreError`."""

    async def refuse(self, request: str, reason: str, code: StepDownCode) -> None:
        """Let whoever asked know why it does not happen."""
        ...

    async def hold(self, node: str, seconds: float, *, by: str, reason: str) -> None:
        """Let a node not become master for so many seconds; raises UsageError too."""
        ...


class Term(Protocol):
    """The term that may be ended."""

    @property
    def leaving(self) -> trio.Event:
        """Set once it ends."""
        ...

    async def confirm(self) -> None:
        """Have the lease renewed now, and return once it is."""
        ...

    def leave(self, heir: str, barred: float, reason: str, cause: Cause, by: str = "") -> None:
        """End it in order."""
        ...


class Requests:
    """The requests to end one term, that of `token`."""

    def __init__(
        self, store: Store, successors: Successors, timing: Timing, term: Term, token: Token
    ) -> None:
        self._store = store
        self._successors = successors
        self._timing = timing
        self._term = term
        self._token = token
        self._present: Event | None = None
        self._news = trio.Event()

    def follow(self, event: Event) -> bool:
        """Follow a request; False if there is another, or the term ends already."""
        if self._present is not None or self._term.leaving.is_set():
            return False
        self._present = event
        self._news.set()
        return True

    async def take(self, event: Event) -> None:
        """Follow a request, or say that there is another; the same one may be heard twice."""
        present = self._present
        if self.follow(event):
            return
        if present is None or present.request != event.request:
            by = f", asked by {present.by}" if present and present.by else ""
            to = f"handing over to {present.to or 'another node'}{by}" if present else "leaving"
            await self._refuse(event, f"it is {to} already", "pending")

    async def run(self) -> None:
        """Follow one request after the other until the term ends."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            if self._present is not None and not await self._step_down(self._present):
                self._present = None

    async def hand_over(self, reason: str) -> None:
        """End the term because this node cannot do its duty, in favour of the best candidate that is ready.

        An order to step down goes before it, also one that came meanwhile.

        Raises:
            StepDownRefused: none is ready.
            StoreError: Redis did not answer, or said no.
        """
        heir = await self._successors.find(self._token, "", PREPARE)
        await self._confirm()
        if self._present is None:
            self._term.leave(heir, self._timing.bar, reason, "unreachable")

    async def _step_down(self, event: Event) -> bool:
        """End the term once a successor is ready; return whether it ends."""
        try:
            heir = await self._find_heir(event)
            await self._confirm()
            if event.hold:
                await self._store.hold(
                    self._token.node, event.hold, by=event.by, reason=event.reason
                )
        except StepDownRefused as error:
            await self._refuse(event, str(error), error.code)
        except (StoreError, UsageError) as error:
            await self._refuse(event, str(error), "failed")
        else:
            self._term.leave(heir, self._timing.bar, event.reason, "step-down", event.by)
            return True
        return False

    async def _confirm(self) -> None:
        """Renew once more: at a Redis that has just failed over a successor would have to wait out the lock delay."""
        with trio.move_on_after(PREPARE):
            await self._term.confirm()
            return
        raise StepDownRefused("Redis does not confirm the lease; ask again", "failed")

    async def _find_heir(self, event: Event) -> str:
        find = partial(self._successors.find, self._token, event.to, PREPARE)
        try:
            # Redis may be failing over: who asked could not even be told of a refusal.
            return await insist(find, trio.current_time() + PREPARE)
        except StepDownRefused as error:
            if not event.force:
                raise
            log.warning("stepping down without a successor", reason=str(error), by=event.by)
            return ""

    async def _refuse(self, event: Event, reason: str, code: StepDownCode) -> None:
        log.warning("refused to step down", to=event.to, by=event.by, reason=reason)
        with trio.move_on_after(self._timing.op_timeout):
            try:
                await self._store.refuse(event.request, reason, code)
            except StoreError as error:
                log.warning("cannot tell why", error=str(error))
