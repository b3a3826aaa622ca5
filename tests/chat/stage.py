"""A drain on a stage: a chat service, outboxes and a term in our hands, for virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf

import structlog
import trio

from hachat.chat.adapter import Facts, Ingest
from hachat.chat.drain import Drain
from hachat.core.messages import Reply
from hachat.core.settings import OnDoubt
from tests.chat.outboxes import Outboxes

SEND_TIMEOUT = 2.0

Act = Callable[[Reply], Awaitable[None]]


class Service:
    """A chat service that takes `seconds` for each reply, or does to it what `acts` says of its text."""

    name = "t"

    def __init__(self, seconds: float = 0.1, *, idempotent: bool = False) -> None:
        self.facts = Facts(idempotent_send=idempotent)
        self.acts: dict[str, Act] = {}
        self.began: list[str] = []
        self.ended: list[str] = []
        self.at: dict[str, float] = {}
        self.together: Counter[str] = Counter()
        self.most_in_a_room = 0
        self.most_rooms = 0
        self._seconds = seconds

    async def serve(
        self, ingest: Ingest, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Hear nothing."""

    async def send(self, reply: Reply) -> str | None:
        """Take a reply."""
        self.began.append(reply.text)
        self.together[reply.room] += 1
        self.most_in_a_room = max(self.most_in_a_room, *self.together.values())
        self.most_rooms = max(self.most_rooms, self.together.total())
        try:
            if act := self.acts.get(reply.text):
                await act(reply)
            else:
                await trio.sleep(self._seconds)
        finally:
            self.together[reply.room] -= 1
        self.ended.append(reply.text)
        self.at[reply.text] = trio.current_time()
        return None


class Office:
    """A term that lasts until it is told otherwise, or its scope is cancelled."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.leaving = trio.Event()
        self.left: Callable[[], float] = lambda: inf

    def remaining(self) -> float:
        """Return what is left of it."""
        return self.left()


class Stage:
    """A drain with all that it touches; `ended` is set once it has returned."""

    def __init__(
        self, service: Service, on_doubt: OnDoubt = "resend", send_timeout: float = SEND_TIMEOUT
    ) -> None:
        self.service = service
        self.queue = Outboxes()
        self.term = Office()
        self.ended = trio.Event()
        self.drain = Drain(
            self.queue,
            self.queue,
            {"t": service},
            self.term,
            send_timeout=send_timeout,
            on_doubt=on_doubt,
        )

    async def run(self) -> None:
        """Run the drain for as long as the term lasts, and note its end."""
        with self.term.scope:
            await self.drain.run()
        self.ended.set()


@asynccontextmanager
async def draining(
    service: Service | None = None,
    on_doubt: OnDoubt = "resend",
    send_timeout: float = SEND_TIMEOUT,
) -> AsyncIterator[Stage]:
    """Run a drain beside the block, and stop it after the block."""
    stage = Stage(service or Service(), on_doubt, send_timeout)
    with structlog.testing.capture_logs():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.run)
            yield stage
            nursery.cancel_scope.cancel()


def refuse(error: Exception, times: int = 1) -> Act:
    """Return an act that raises `error` for the first `times`, and takes the reply afterwards."""
    left = [error] * times

    async def act(reply: Reply) -> None:
        await trio.lowlevel.checkpoint()
        if left:
            raise left.pop()

    return act


async def hang(reply: Reply) -> None:
    """Never answer."""
    await trio.sleep_forever()
