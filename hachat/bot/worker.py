"""Works through the inbound queue: takes conversations, has their messages handled, commits the replies.

One worker serves one lane.  It holds at most `slots` conversations at once and asks for no more than it has room
for, so that what it cannot start yet can be started elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec
import structlog
import trio

from hachat.core import wire
from hachat.core.errors import HandlerError, StoreError, WireError
from hachat.core.messages import Inbound, Message, Reply
from hachat.store.inbound import BATCH, BLOCK, Commit, Committed, Head, Token, Verdict
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

RELUCTANCE = 1.0
"""Seconds until a commit is repeated that Redis refused."""

GOODBYE = 2.0
"""Seconds for committing what was finished, and again for handing unfinished conversations back."""

Handle = Callable[[Inbound], Awaitable[list[Reply]]]
"""Has a message handled and returns its replies; HandlerError says that nobody here can."""


@dataclass(slots=True)
class Visit:
    """A conversation in hand: other conversations come first after `until` or once enough was handled."""

    token: Token
    until: float
    handled: int = 0


class Finished(msgspec.Struct, frozen=True):
    """A message that was handled: what it was answered, or why it is given up; without a head, a visit that begins."""

    visit: Visit
    head: Head | None = None
    replies: Sequence[Reply] = ()
    give_up: str = ""


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
        self._visits: dict[str, Visit] = {}
        # As many at most as conversations are in hand.
        self._finish, self._finished = trio.open_memory_channel[Finished](math.inf)
        self._freed = trio.Event()
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
            async with trio.open_nursery() as committing:
                async with trio.open_nursery() as handling:
                    committing.start_soon(self._keep_committing, handling)
                    task_status.started()
                    await run_until(leaving, self._take)
                    self._leaving = True
                    handling.cancel_scope.deadline = trio.current_time() + grace
                self._finish.close()
                committing.cancel_scope.deadline = trio.current_time() + GOODBYE
        finally:
            with trio.move_on_after(GOODBYE, shield=True):
                await self._hand_back()

    def adopt(self, tokens: Iterable[Token]) -> None:
        """Handle conversations that are ours: just read, or taken over from nodes that are gone."""
        until = trio.current_time() + VISIT_SECONDS
        for token in tokens:
            if token.entry not in self._visits and not self._leaving:
                self._visits[token.entry] = visit = Visit(token, until)
                self._finish.send_nowait(Finished(visit))

    async def _take(self) -> None:
        while True:
            try:
                async with self._readers.reader(BLOCK) as reader:
                    await self._queue.prepare()
                    await self._find_unheard()
                    while True:
                        await self._wait_for_slot()
                        self.adopt(await self._queue.read(reader, self.lane, self.free))
            except StoreError as error:
                report(log, "cannot read the inbound queue", error, lane=self.lane)
                await trio.sleep(0.5)

    async def _find_unheard(self) -> None:
        """Handle conversations that a read gave us whose answer was lost."""
        known = set(self._visits)  # may be given back while we ask, and are then not ours any more
        held = await self._queue.held(self.lane)
        self.adopt(token for token in held if token.entry not in known)

    async def _wait_for_slot(self) -> None:
        while self.free <= 0:
            self._freed = trio.Event()
            await self._freed.wait()

    async def _handle_head(self, visit: Visit, head: Head) -> None:
        replies, give_up = await self._answer(visit.token, head)
        visit.handled += 1
        self._finish.send_nowait(Finished(visit, head, replies, give_up))

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

    async def _keep_committing(self, handling: trio.Nursery) -> None:
        async for first in self._finished:
            batch = [first]
            with suppress(trio.WouldBlock, trio.EndOfChannel):
                while len(batch) < BATCH:
                    batch.append(self._finished.receive_nowait())
            commits = [self._make_commit(finished) for finished in batch]
            answers = await retry(partial(self._queue.commit, self.lane, commits))
            for finished, answer in zip(batch, answers, strict=True):
                self._go_on(finished, answer, handling)

    def _make_commit(self, finished: Finished) -> Commit:
        visit = finished.visit
        give_way = (
            self._leaving or visit.handled >= VISIT_MESSAGES or trio.current_time() >= visit.until
        )
        return Commit(visit.token, finished.head, finished.replies, give_way, finished.give_up)

    def _go_on(
        self, finished: Finished, answer: Committed | StoreError, handling: trio.Nursery
    ) -> None:
        visit = finished.visit
        conversation = visit.token.conversation
        if isinstance(answer, StoreError):
            report(log, "cannot go on with a conversation yet", answer, conversation=conversation)
            if not self._leaving:
                handling.start_soon(self._finish_later, finished)
            return
        verdict, head = answer
        if verdict is Verdict.LOST:
            log.warning("another node took this conversation over", conversation=conversation)
        if head is None:
            del self._visits[visit.token.entry]
            self._freed.set()
        elif not self._leaving:
            handling.start_soon(self._handle_head, visit, head)

    async def _finish_later(self, finished: Finished) -> None:
        await trio.sleep(RELUCTANCE)
        self._finish.send_nowait(finished)

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
