"""The road out: from the outboxes to the adapters; only the master walks it.

Rooms are independent: at most one reply of a room is on its way at any time, and many rooms are served side by side,
so that a slow or limited room holds up no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Literal, Protocol

import structlog
import trio

from hachat.chat.adapter import Adapter
from hachat.core import wire
from hachat.core.errors import InDoubt, NotSent, StoreError, Undeliverable, WireError
from hachat.core.messages import Reply
from hachat.store.inbound import BLOCK
from hachat.store.link import Reader
from hachat.store.outbound import Due, Outbound, Outcome
from hachat.store.retry import retry

log = structlog.get_logger(__name__)

ROOMS = 32
"""Rooms served side by side."""

ROOM_REPLIES = 16
"""Replies of one room sent before other rooms come first."""

OnDoubt = Literal["resend", "skip"]
"""What to do with a reply that may have arrived where the service can tell nobody."""


class Term(Protocol):
    """The term of office in whose name replies are sent."""

    @property
    def leaving(self) -> trio.Event:
        """Set when no further send may be started."""
        ...

    def remaining(self) -> float:
        """Return for how many seconds the lease surely lasts."""
        ...


class Readers(Protocol):
    """Opens connections for blocking reads."""

    def reader(self, longest: float) -> AbstractAsyncContextManager[Reader]:
        """Open one for reads of up to `longest` seconds."""
        ...


class Drain:
    """Sends what is in the outboxes for as long as a term lasts."""

    def __init__(
        self,
        outbound: Outbound,
        readers: Readers,
        adapters: Mapping[str, Adapter],
        term: Term,
        *,
        send_timeout: float,
        on_doubt: OnDoubt = "resend",
    ) -> None:
        self._outbound = outbound
        self._readers = readers
        self._adapters = adapters
        self._term = term
        self._send_timeout = send_timeout
        self._on_doubt = on_doubt
        self._busy: list[str] = []
        self._freed = trio.Event()

    async def run(self) -> None:
        """Send until the term's `leaving` is set and what was under way has ended.

        Raises:
            Fenced: the lease is no longer ours.
        """
        async with trio.open_nursery() as sends, trio.open_nursery() as taking:
            taking.start_soon(self._keep_taking, sends)
            await self._term.leaving.wait()
            taking.cancel_scope.cancel()

    async def _keep_taking(self, sends: trio.Nursery) -> None:
        while True:
            try:
                await self._outbound.inherit(self._busy)
                async with self._readers.reader(BLOCK) as reader:
                    while True:
                        await self._take(reader, sends)
            except (StoreError, trio.TooSlowError) as error:
                log.warning("cannot read the outbound queue", error=str(error) or "too slow")
                await trio.sleep(0.25)

    async def _take(self, reader: Reader, sends: trio.Nursery) -> None:
        while len(self._busy) >= ROOMS:
            self._freed = trio.Event()
            await self._freed.wait()
        if self._term.remaining() < self._send_timeout:
            await trio.sleep(self._send_timeout / 8)
            return
        # Rooms that were taken are nobody else's until they are reported: for as long as the lease lasts,
        # `leaving` does not part us from the answer.
        with trio.fail_after(self._term.remaining(), shield=True):
            taken, wait = await self._outbound.take(ROOMS - len(self._busy))
        for due in taken:
            self._busy.append(due.room)
            sends.start_soon(self._serve, due, name=f"send to {due.room}")
        if not taken:
            await self._outbound.wait(reader, min(wait, BLOCK))

    async def _serve(self, due: Due) -> None:
        try:
            head: Due | None = due
            for turn in range(ROOM_REPLIES, 0, -1):
                if head is None:
                    break
                head = await self._send(head, more=turn > 1)
        finally:
            self._busy.remove(due.room)
            self._freed.set()

    async def _send(self, due: Due, *, more: bool) -> Due | None:
        after, reason = 0.0, ""
        outcome: Outcome = "sent"
        try:
            reply = wire.decode_reply(due.data)
            await self._deliver(reply, due)
        except NotSent as error:
            # Of an earlier attempt it says nothing.
            outcome = "doubt" if due.in_doubt else "defer"
            after, reason = error.after, str(error)
        except InDoubt as error:
            outcome, after, reason = "doubt", 1.0, str(error)
        except (Undeliverable, WireError) as error:
            outcome, reason = "dead", str(error)
        except Exception as error:
            log.exception("an adapter failed", room=due.room, reply=due.id)
            outcome, reason = "dead", f"the adapter failed: {error!r}"
        if reason:
            log.warning(
                "reply not sent", room=due.room, reply=due.id, outcome=outcome, reason=reason
            )
        more = more and self._may_send()
        return await retry(
            partial(self._outbound.done, due, outcome, after=after, reason=reason, more=more)
        )

    async def _deliver(self, reply: Reply, due: Due) -> None:
        adapter = self._adapters.get(reply.adapter)
        if adapter is None:
            raise Undeliverable(f"no adapter {reply.adapter!r} is set up")
        if due.in_doubt and not adapter.facts.idempotent_send:
            log.warning(
                "in doubt whether a reply was sent",
                room=due.room,
                reply=due.id,
                policy=self._on_doubt,
            )
            if self._on_doubt == "skip":
                return
        if not self._may_send():
            raise NotSent("the term may end during the send", after=0.0)
        with trio.move_on_after(self._send_timeout) as deadline:
            await adapter.send(reply)
        if deadline.cancelled_caught:
            raise InDoubt(f"no answer within {self._send_timeout} s")

    def _may_send(self) -> bool:
        return not self._term.leaving.is_set() and self._term.remaining() >= self._send_timeout
