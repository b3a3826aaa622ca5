"""Webhooks whose senders wait for an answer: they are handled on the node that was asked, and nothing of them is queued before.

What such a method says and asks for comes about once it has ended well: it is queued as one job, which says it, on whatever node.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog
import trio

from hachat.bot.calls import Call
from hachat.bot.replies import Replies
from hachat.bot.run import Run
from hachat.bot.timers import Timers
from hachat.core.errors import QueueFull
from hachat.core.messages import Inbound, Job, Reply, Webhook
from hachat.core.responses import Response, make_response
from hachat.core.wire import VERSION
from hachat.store.commits import Later

log = structlog.get_logger(__name__)

SLOTS = 16
"""Senders that may wait at once: half of the requests a node works on, so that webhooks which are queued do not wait behind them."""

ROUTE = "outcome"
"""The route of the job that says what an inline webhook has come to; those of handlers have a dot in their names."""


class Outcome(msgspec.Struct, frozen=True):
    """What a method has said and asked for."""

    replies: Sequence[Reply] = ()
    later: Sequence[Later] = ()


class Inline:
    """Answers webhooks on this node; `begin` finds what is to be done, `queue` queues what that has come to."""

    def __init__(
        self,
        begin: Callable[[Inbound], Run],
        queue: Callable[[Job], Awaitable[object]],
        *,
        slots: int = SLOTS,
    ) -> None:
        self._begin = begin
        self._queue = queue
        self._limiter = trio.CapacityLimiter(slots)

    async def answer(self, webhook: Webhook) -> Response:
        """Return what the sender of `webhook` is answered.

        Raises:
            QueueFull: too many wait for answers.
            StoreError, WireError: what the method has said cannot be queued, so it is as if it had not run.
        """
        try:
            self._limiter.acquire_nowait()
        except trio.WouldBlock:
            slots = int(self._limiter.total_tokens)
            raise QueueFull(f"{slots} senders wait for answers already") from None
        try:
            return await self._answer(webhook)
        finally:
            self._limiter.release()

    async def _answer(self, webhook: Webhook) -> Response:
        run = self._begin(webhook)
        # To wait for another run of the same route is a part of the time that its sender waits.
        waits = min((call.policy.timeout or run.timeout for call in run.calls), default=0.0)
        with trio.move_on_after(waits) as scope:
            await run.carry_out()
        if scope.cancelled_caught:
            run.overrun()
        if run.failed:
            what, status = ("took too long", 504) if run.late else ("failed", 500)
            told = {"error": f"the handler {what}, see this node's log", "id": webhook.id}
            return Response(told, status)
        response = make_response(run.result)
        try:
            response.encode()
        except (TypeError, ValueError) as error:
            run.fail(webhook.route, error)
            told = {"error": "the handler's answer cannot be sent, see this node's log"}
            return Response({**told, "id": webhook.id}, 500)
        if run.said or run.later:
            await self._queue(make_job(webhook, Outcome(run.said, run.later)))
        return response


def make_job(webhook: Webhook, outcome: Outcome) -> Job:
    """Return the job that says what `webhook` has come to."""
    data = msgspec.json.encode(outcome).decode()
    # A second delivery of the same event comes to nothing more.
    return Job(f"{webhook.source}/outcome", ROUTE, webhook.at, data, v=VERSION)


def is_outcome(job: Job) -> bool:
    """Tell whether `job` is one that `make_job` made."""
    return job.route == ROUTE


def tell(job: Job, replies: Replies, timers: Timers) -> Call:
    """Return the call that says and asks for, once more, what a webhook has come to."""

    async def repeat() -> None:
        outcome = msgspec.json.decode(job.data, type=Outcome)
        replies.repeat(outcome.replies)
        timers.repeat(outcome.later)

    return Call(ROUTE, repeat, replies, timers=timers)
