"""The road in: from an adapter to the inbound queue."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog
import trio

from hachat.core.backoff import backoff
from hachat.core.errors import HachatError, WireError
from hachat.core.messages import Message
from hachat.store.commits import Queued
from hachat.store.retry import retry

log = structlog.get_logger(__name__)

Enqueue = Callable[[Sequence[Message]], Awaitable[list[Queued]]]
"""Queues messages in their order, each once, and returns what became of each."""


class Ingest:
    """Queues what adapters hear.

    It returns once all is safely queued and not before: an adapter that waits for it reads no further, so a full queue
    or a lost Redis is felt by the chat service instead of in our memory.
    """

    def __init__(self, enqueue: Enqueue) -> None:
        self._enqueue = enqueue

    async def __call__(self, *messages: Message) -> None:
        """Queue `messages` in their order, or recognise that their events were queued before."""
        waits = backoff(0.1, 5.0, random.random)
        while refused := await self._queue(messages):
            wait = next(waits)
            log.warning(
                "not reading on",
                messages=len(refused),
                room=refused[0][0].room.address,
                error=str(refused[0][1]),
                seconds=round(wait, 1),
            )
            await trio.sleep(wait)
            messages = tuple(message for message, _ in refused)

    async def _queue(self, messages: Sequence[Message]) -> list[tuple[Message, HachatError]]:
        """Return those that could not be queued yet, and why."""
        refused: list[tuple[Message, HachatError]] = []
        outcomes = await retry(partial(self._enqueue, messages))
        for message, outcome in zip(messages, outcomes, strict=True):
            if isinstance(outcome, WireError):
                log.warning("message refused", room=message.room.address, error=str(outcome))
            elif isinstance(outcome, HachatError):
                refused.append((message, outcome))
            else:
                log.debug("heard", room=message.room.address, message=message.id, new=outcome)
        return refused
