"""The road out: from the outboxes to the adapters; only the master walks it.

Rooms are independent: at most one reply of a room is on its way at any time, and many rooms are served side by side,
so that a slow or limited room holds up no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import structlog
import trio

from hachat.chat.adapter import Adapter
from hachat.chat.delivery import Delivery
from hachat.chat.operations import Operations
from hachat.core.errors import StoreError
from hachat.core.phrases import Say, say_english
from hachat.core.settings import OnDoubt
from hachat.store.connections import Readers
from hachat.store.inbound import BLOCK
from hachat.store.members import Newest, know_nobody
from hachat.store.outbound import Due, Outbound, Report
from hachat.store.trouble import report
from hachat.tasks.hands import Hand, Hands

log = structlog.get_logger(__name__)

ROOMS = 64
"""Rooms served side by side."""

PAUSE = 0.25
"""Seconds after which Redis is asked again that did not answer, or the lease looked at again that ran short."""


class Term(Protocol):
    """The term of office in whose name replies are sent."""

    @property
    def leaving(self) -> trio.Event:
        """Set when no further send may be started."""
        ...

    def remaining(self) -> float:
        """Return for how many seconds the lease surely lasts."""
        ...


class Drain:
    """Sends what is in the outboxes for as long as a term lasts, and tells rooms with `say` what could not be."""

    def __init__(
        self,
        outbound: Outbound,
        readers: Readers,
        adapters: Mapping[str, Adapter],
        term: Term,
        *,
        send_timeout: float,
        newest: Newest = know_nobody,
        on_doubt: OnDoubt = "resend",
        operations: Operations | None = None,
        say: Say = say_english,
    ) -> None:
        self._outbound = outbound
        self._readers = readers
        self._term = term
        self._send_timeout = send_timeout
        self._delivery = Delivery(
            adapters,
            self._may_send,
            newest=newest,
            on_doubt=on_doubt,
            operations=operations,
            say=say,
        )
        self._hands: Hands[Due] = Hands(ROOMS, self._send, self._overrun)
        self._sending: set[str] = set()
        self._reports: list[Report] = []
        self._news = trio.Event()

    async def run(self) -> None:
        """Send until the term's `leaving` is set and what was under way has been reported.

        Raises:
            Fenced: the lease is no longer ours.
        """
        async with trio.open_nursery() as listening:
            listening.start_soon(self._listen)
            listening.start_soon(self._hear_of_leaving)
            listening.start_soon(self._hands.run)
            await self._keep_turning()
            listening.cancel_scope.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._readers.reader(BLOCK) as reader:
                    while True:
                        await self._outbound.wait(reader, BLOCK)
                        self._news.set()
            except StoreError as error:
                report(log, "cannot listen to the outbound queue", error)
                await trio.sleep(PAUSE)
                self._news.set()  # the bell may have rung unheard

    async def _hear_of_leaving(self) -> None:
        await self._term.leaving.wait()
        self._news.set()

    async def _keep_turning(self) -> None:
        stray = True  # rooms may have been taken without our hearing of it
        while not self._is_done():
            self._news = trio.Event()
            try:
                if stray:
                    await self._outbound.inherit(self._sending)
                    stray = False
                wait = await self._turn()
            except StoreError as error:
                report(log, "cannot reach the outbound queue", error)
                stray, wait = True, PAUSE
                await trio.sleep(PAUSE)
            else:
                # Whoever succeeds us waits for our end, so no moment is waited beyond it.
                with trio.move_on_after(0 if self._is_done() else wait):
                    await self._news.wait()

    def _is_done(self) -> bool:
        return self._term.leaving.is_set() and not self._sending and not self._reports

    async def _turn(self) -> float:
        """Report what was sent, start to send what is due, and return for how many seconds nothing will be due."""
        most = ROOMS - len(self._sending) if self._may_send() else 0
        reports, self._reports = self._reports, []
        if not reports and not most:
            return PAUSE
        sending = set(self._sending)
        try:
            taken, wait = await self._outbound.turn(reports, most)
        except StoreError:
            self._reports[:0] = reports
            raise
        # A send that takes longer than rooms are held is under way all the same.
        heads = [due for due in taken if due.room not in sending]
        self._sending.update(due.room for due in heads)
        self._hands.give(heads)
        return wait if most else PAUSE

    async def _send(self, due: Due, hand: Hand[Due]) -> None:
        hand.allow(self._send_timeout)
        self._note(await self._delivery.attempt(due))

    def _overrun(self, due: Due) -> None:
        self._note(self._delivery.overrun(due))

    def _note(self, result: Report) -> None:
        due = result.due
        if result.reason:
            log.warning(
                "reply not sent",
                room=due.room,
                reply=due.id,
                outcome=result.outcome,
                reason=result.reason,
            )
        self._sending.remove(due.room)
        self._reports.append(result)
        self._news.set()

    def _may_send(self) -> bool:
        return not self._term.leaving.is_set() and self._term.remaining() >= self._send_timeout
