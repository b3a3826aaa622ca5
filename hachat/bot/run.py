"""One message, webhook or job being handled: the methods it is for, what they have said, and how that ends.

This is the one firewall between handlers and the daemon: whatever a handler raises is logged with the message's id and
becomes one short reply; only a cancel passes through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog
import trio

from hachat.bot.context import Replies
from hachat.bot.timers import Timers
from hachat.core.messages import Inbound, Message, Reply
from hachat.store.jobs import Later

log = structlog.get_logger(__name__)

_CONTAINED = (Exception, SystemExit)  # a library that exits must not take the node along

_WRONG = "that went wrong"
_LATE = "that took too long"


class Call(msgspec.Struct, frozen=True):
    """A method about to be run, and what it has said so far."""

    name: str
    run: Callable[[], Awaitable[None]]
    replies: Replies
    timers: Timers | None = None


class Run:
    """All that is to be done about one message, webhook or job; it may take `timeout` seconds in all.

    Whoever runs it keeps the time: it cancels `carry_out` when the time is up, and then calls `overrun`.
    """

    __slots__ = ("_node", "_sorry", "calls", "inbound", "timeout")

    def __init__(
        self, inbound: Inbound, calls: Sequence[Call], *, timeout: float, node: str = ""
    ) -> None:
        self.inbound = inbound
        self.calls = calls
        self.timeout = timeout
        self._node = node
        self._sorry = ""

    @property
    def replies(self) -> list[Reply]:
        """What has been said so far, route by route; what was said before a failure is kept."""
        replies = [reply for call in self.calls for reply in call.replies]
        return [*replies, *self._apologise()] if self._sorry else replies

    @property
    def later(self) -> list[Later]:
        """What is to be done later, for the routes that have ended well; to be committed with the replies."""
        return [later for call in self.calls for later in call.timers or ()]

    async def carry_out(self) -> None:
        """Run every call, at the same time; of handlers' errors, raise nothing."""
        if len(self.calls) == 1:  # as nearly always; it needs no task of its own
            await self._run(self.calls[0])
            return
        try:
            async with trio.open_nursery() as nursery:
                for call in self.calls:
                    nursery.start_soon(self._run, call, name=call.name)
        except* _CONTAINED as faults:
            self.fail("", faults)

    def fail(self, route: str, fault: BaseException) -> None:
        """Note that `route` failed, or all of it."""
        self._sorry = self._sorry or _WRONG
        log.error("a handler failed", **self._facts(), route=route, exc_info=_plain(fault))

    def overrun(self) -> None:
        """Note that it was cancelled because its time was up."""
        self._sorry = _LATE
        log.error(
            "a handler took too long",
            **self._facts(),
            routes=[call.name for call in self.calls],
            seconds=self.timeout,
        )

    async def _run(self, call: Call) -> None:
        try:
            await call.run()
            if call.timers:
                call.timers.keep()
        except* _CONTAINED as faults:
            self.fail(call.name, faults)
        finally:
            call.replies.close()
            if call.timers:
                call.timers.close()

    def _apologise(self) -> list[Reply]:
        if not isinstance(self.inbound, Message):
            return []
        replies = Replies(self.inbound.id, "robot")
        text = f"Sorry, {self._sorry} (id {self.inbound.id})."
        replies.add(self.inbound.room.address, text, self.inbound.thread)
        return list(replies)

    def _facts(self) -> dict[str, str]:
        return {"message": self.inbound.id, "node": self._node}


def _plain(fault: BaseException) -> BaseException:
    """Return the one error in a group of one, which reads better in a log."""
    if isinstance(fault, BaseExceptionGroup) and len(fault.exceptions) == 1:
        return fault.exceptions[0]
    return fault
