"""What an adapter is, and the loop that keeps one connected.

An adapter knows one chat service and nothing of the rest of the house: it hands what it hears to `Ingest` and
sends the replies it is given.  `Connection` gives it what all of them need: a deadline for connecting, and another
try when the connection ends, later each time.  `docs/adapters.md` is the contract in full.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog
import trio

from hachat.chat.abilities import Joins
from hachat.core.backoff import backoff
from hachat.core.errors import HachatError
from hachat.core.messages import Heard, Reply

log = structlog.get_logger(__name__)

CONNECT = 30.0
"""Seconds an adapter has to connect and log in."""

STEADY = 10.0
"""Seconds a connection must have stood for the next one to be tried soon again."""

FIRST_WAIT = 1.0
LAST_WAIT = 60.0
"""Seconds between two tries: doubled from the first to the last."""

GOODBYE = 0.4
"""Seconds a cancelled adapter may still spend on leaving; the lease's margin (0.5 s by default) covers it."""

TOGETHER = 64
"""Messages and events handed over at once by a reader that has heard more than it could hand over."""

State = Literal["connecting", "connected", "waiting"]
"""`connected`: the service answered lately; `waiting`: the connection ended and the next try is due later."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a chat service can do.

    `idempotent_send`: a reply sent twice under one id appears once.  `can_search_history`: the adapter's `find` can tell
    whether a reply stands in its room.  `overlap`: the next master may connect before the old one has left.
    `max_text`: the most characters of one reply, 0 for no limit.
    """

    idempotent_send: bool = False
    can_search_history: bool = False
    overlap: bool = False
    max_text: int = 0


class Ingest(Protocol):
    """Takes what an adapter has heard."""

    async def __call__(self, *heard: Heard) -> None:
        """Return once all of it is safely queued or known as duplicates, however long that takes.

        An event that finds no room is not waited for: people's messages go first.
        """


class Adapter(Protocol):
    """One chat service; `hachat.chat.abilities` has what it may do beside."""

    name: str
    """The adapter part of the addresses of its rooms."""

    facts: Facts
    """What the service can do."""

    async def serve(
        self, ingest: Ingest, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep one connection: connect, log in, call `started()`, and hear until it ends.

        When cancelled it leaves politely, within `GOODBYE` seconds.  What it raises may come in exception groups.

        Raises:
            OSError: the connection could not be made, or has ended.
            HachatError: the same, for a reason of our own.
        """

    async def send(self, reply: Reply) -> str | None:
        """Return when the service has taken `reply`, with the service's id of it if it can be changed under that later.

        Raises:
            NotSent: it is safe to send it again, after the given time; nor may anything else of its scope be sent before.
            Undeliverable: the service will never take it.
            InDoubt: it may have arrived.
        """


def _ignore() -> None:
    """Be told of a change and do nothing."""


FindRooms = Callable[[str], Awaitable[Mapping[str, str | None]]]
"""Finds where the adapter of that name has been told to be and not to be, as `Joins.expect` takes it; raises StoreError."""


async def _find_none(adapter: str) -> Mapping[str, str | None]:  # noqa: ARG001 - a FindRooms
    return {}


class Connection:
    """Keeps one adapter connected for as long as `run` runs.

    `state` and `since` (Unix seconds) say how it stands; `on_change` is called after each change of them, and of `fault`.
    """

    def __init__(
        self,
        adapter: Adapter,
        *,
        on_change: Callable[[], None] = _ignore,
        find_rooms: FindRooms = _find_none,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.adapter = adapter
        self.state: State = "connecting"
        self.since = time.time()
        self.fault = "not connected yet"
        """Why the service is not reached from here; empty while it is, and where the adapter itself is mistaken."""
        self._on_change = on_change
        self._find_rooms = find_rooms
        self._dice = dice

    async def run(
        self, ingest: Ingest, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Connect, and again whenever the connection ends, until cancelled.

        `started()` is called as the first connection is begun: a service that is away must not hold up the others, but
        an adapter that is asked to send before it was asked to connect could not know that it is worth waiting.
        """
        waits = self._waits()
        begun: Callable[[], None] = task_status.started
        while True:
            began = trio.current_time()
            mistaken = await self._serve(ingest, begun)
            begun = _ignore
            if trio.current_time() - began >= STEADY and self.state == "connected":
                waits = self._waits()
            self._enter("waiting")
            await trio.sleep(LAST_WAIT if mistaken else next(waits))

    def _waits(self) -> Iterator[float]:
        return backoff(FIRST_WAIT, LAST_WAIT, self._dice)

    async def _serve(self, ingest: Ingest, begun: Callable[[], None]) -> bool:
        """Keep one connection until it ends, and say when it is begun; return whether a mistake in the adapter ended it."""
        mistaken = False
        self._enter("connecting")
        try:
            async with trio.open_nursery() as nursery:
                with trio.fail_after(CONNECT):
                    try:
                        if isinstance(self.adapter, Joins):
                            self.adapter.expect(await self._find_rooms(self.adapter.name))
                    finally:
                        begun()
                    await nursery.start(self.adapter.serve, ingest)
                self.fault = ""
                self._enter("connected")
        except* (OSError, HachatError) as group:
            self.fault = _reasons(group)
            log.warning("chat connection ended", adapter=self.adapter.name, reason=self.fault)
        except* trio.TooSlowError:
            self.fault = f"no answer within {CONNECT:g} s"
            log.warning("chat service does not answer", adapter=self.adapter.name, seconds=CONNECT)
        except* Exception:
            mistaken = True
            self.fault = ""
            log.exception("adapter failed", adapter=self.adapter.name)
        return mistaken

    def _enter(self, state: State) -> None:
        self.state = state
        self.since = time.time()
        log.info("chat connection", adapter=self.adapter.name, state=state)
        self._on_change()


async def deliver(heard: trio.MemoryReceiveChannel[Heard], ingest: Ingest) -> None:
    """Hand over what a reader has heard, in order, until `heard` is closed; together what has come together.

    When cancelled, what the reader has left behind is still handed over, for at most `GOODBYE` seconds: the
    service will not say it again.
    """
    messages: list[Heard] = []
    try:
        async for message in heard:
            messages = [message, *_take_waiting(heard, TOGETHER - 1)]
            await ingest(*messages)
            messages = []
    except trio.Cancelled:
        with trio.move_on_after(GOODBYE, shield=True) as goodbye:
            # The first may be queued already: then they are duplicates.
            while messages := messages or list(_take_waiting(heard, TOGETHER)):
                await ingest(*messages)
                messages = []
        if goodbye.cancelled_caught:
            lost = heard.statistics().current_buffer_used + len(messages)
            log.warning("messages lost on leaving", at_most=lost)
        raise


def _take_waiting(heard: trio.MemoryReceiveChannel[Heard], most: int) -> Iterator[Heard]:
    """Yield what has been heard already."""
    for _ in range(min(most, heard.statistics().current_buffer_used)):
        yield heard.receive_nowait()


def _reasons(group: BaseExceptionGroup[Any]) -> str:
    return "; ".join(
        _reasons(error)
        if isinstance(error, BaseExceptionGroup)
        else str(error) or type(error).__name__
        for error in group.exceptions
    )
