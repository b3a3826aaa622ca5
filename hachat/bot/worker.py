"""Works through the inbound queue: takes conversations, has their messages handled, commits the replies.

One worker serves one lane.  It holds at most `slots` conversations at once and asks for no more than it has room
for, so that what it cannot start yet can be started elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Protocol

import structlog
import trio

from hachat.core import wire
from hachat.core.errors import HandlerError, StoreError, WireError
from hachat.core.messages import Inbound, Message, Reply
from hachat.store.inbound import BLOCK, Head, Token, Verdict
from hachat.store.inbound import Inbound as Queue
from hachat.store.keys import Lane
from hachat.store.link import Reader
from hachat.store.retry import retry
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

VISIT_MESSAGES = 8
"""Messages of one conversation handled before others come first."""

VISIT_SECONDS = 0.25
"""Seconds spent on one conversation before others come first."""

GOODBYE = 2.0
"""Seconds for handing unfinished conversations back."""

Handle = Callable[[Inbound], Awaitable[list[Reply]]]
"""Has a message handled and returns its replies; HandlerError says that nobody here can."""


class Readers(Protocol):
    """Opens connections for blocking reads."""

    def reader(self, longest: float) -> AbstractAsyncContextManager[Reader]:
        """Open one for reads of up to `longest` seconds."""
        ...


class Worker:
    """Serves one lane of the inbound queue on this node."""

    def __init__(
        self, queue: Queue, readers: Readers, lane: Lane, slots: int, handle: Handle
    ) -> None:
        self.lane: Lane = lane
        self._queue = queue
        self._readers = readers
        self._handle = handle
        self._slots = trio.CapacityLimiter(slots)
        self._visits: dict[str, Token] = {}
        self._freed = trio.Event()
        self._orphans: list[Token] = []
        self._found = trio.Event()
        self._leaving = False

    @property
    def running(self) -> int:
        """How many conversations are being handled."""
        return len(self._visits)

    @property
    def free(self) -> int:
        """How many more conversations could be taken."""
        return int(self._slots.total_tokens) - len(self._visits)

    async def run(
        self,
        leaving: trio.Event,
        grace: float,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Work until `leaving` is set; then finish what runs within `grace` seconds and hand back the rest."""
        try:
            async with trio.open_nursery() as visits:
                task_status.started()
                await run_until(
                    leaving, partial(self._take, visits), partial(self._start_adopted, visits)
                )
                self._leaving = True
                visits.cancel_scope.deadline = trio.current_time() + grace
        finally:
            with trio.move_on_after(GOODBYE, shield=True):
                await self._hand_back()

    def adopt(self, tokens: Iterable[Token]) -> None:
        """Handle conversations this node has taken over from nodes that are gone."""
        self._orphans += tokens
        self._found.set()

    async def _start_adopted(self, visits: trio.Nursery) -> None:
        while True:
            await self._found.wait()
            self._found = trio.Event()
            orphans, self._orphans = self._orphans, []
            self._start(orphans, visits)

    def _start(self, tokens: Iterable[Token], visits: trio.Nursery) -> None:
        for token in tokens:
            if token.entry not in self._visits:
                self._visits[token.entry] = token
                visits.start_soon(self._visit, token, name=f"visit {token.conversation}")

    async def _take(self, visits: trio.Nursery) -> None:
        while True:
            try:
                async with self._readers.reader(BLOCK) as reader:
                    await self._queue.prepare()
                    await self._find_unheard(visits)
                    while True:
                        await self._wait_for_slot()
                        self._start(await self._queue.read(reader, self.lane, self.free), visits)
            except StoreError as error:
                report(log, "cannot read the inbound queue", error, lane=self.lane)
                await trio.sleep(0.5)

    async def _find_unheard(self, visits: trio.Nursery) -> None:
        """Handle conversations that a read gave us whose answer was lost."""
        known = set(self._visits)  # may be given back while we ask, and are then not ours any more
        held = await self._queue.held(self.lane)
        self._start((token for token in held if token.entry not in known), visits)

    async def _wait_for_slot(self) -> None:
        while self.free <= 0:
            self._freed = trio.Event()
            await self._freed.wait()

    async def _visit(self, token: Token) -> None:
        try:
            await self._work_through(token)
        finally:
            del self._visits[token.entry]
            self._freed.set()

    async def _work_through(self, token: Token) -> None:
        until = trio.current_time() + VISIT_SECONDS
        verdict = Verdict.GONE
        while verdict is Verdict.GONE or verdict is Verdict.MORE:
            heads = await retry(partial(self._queue.heads, token.conversation, VISIT_MESSAGES))
            if not heads:
                await retry(partial(self._queue.close, token))
                return
            for head in heads:
                verdict = await self._finish(token, head, until, last=head is heads[-1])
                if verdict is not Verdict.MORE:
                    break
        if verdict is Verdict.LOST:
            log.warning("another node took this conversation over", conversation=token.conversation)

    async def _finish(self, token: Token, head: Head, until: float, *, last: bool) -> Verdict:
        replies, give_up = await self._answer(token, head)
        give_way = last or self._leaving or trio.current_time() > until
        return await retry(
            partial(self._queue.commit, token, head, replies, give_way=give_way, give_up=give_up)
        )

    async def _answer(self, token: Token, head: Head) -> tuple[list[Reply], str]:
        """Return the replies to a message, or none and why it is given up."""
        try:
            value = wire.decode_inbound(head.data)
            replies = await self._handle(value)
        except (WireError, HandlerError) as error:
            log.error(
                "message given up",
                conversation=token.conversation,
                message=head.id,
                error=str(error),
            )
            return [], str(error)
        if isinstance(value, Message) and value.receipt:
            replies = [*replies, make_receipt(value)]
        return replies, ""

    async def _hand_back(self) -> None:
        try:
            count = await self._queue.hand_back(self.lane)
        except StoreError as error:
            log.warning(
                "could not hand back conversations; others take them over later", error=str(error)
            )
        else:
            if count:
                log.info("handed back conversations", lane=self.lane, count=count)


def make_receipt(message: Message) -> Reply:
    """Return what tells the sender that `message` has been dealt with; it follows all its replies to that room."""
    return Reply(
        id=f"{message.id}/receipt",
        room=message.room.address,
        op="receipt",
        text=message.event,
        about=message.id,
    )


async def run_until(event: trio.Event, *tasks: Callable[[], Awaitable[None]]) -> None:
    """Run `tasks` side by side until `event` is set."""
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)
        await event.wait()
        nursery.cancel_scope.cancel()
