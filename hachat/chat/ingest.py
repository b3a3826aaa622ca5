"""The road in: from an adapter to the inbound queue."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog
import trio

from hachat.core.backoff import backoff
from hachat.core.errors import HachatError, QueueFull, WireError
from hachat.core.messages import Event, Heard
from hachat.store.commits import Queued
from hachat.store.retry import retry

log = structlog.get_logger(__name__)

FIRST_WAIT, LAST_WAIT = 0.1, 1.0
"""Seconds between two tries of what could not be queued: doubled from the first to the last."""

Enqueue = Callable[[Sequence[Heard]], Awaitable[list[Queued]]]
"""Queues messages and events in their order, each once, and returns what became of each."""


def _ignore_nothing(heard: Heard) -> bool:  # noqa: ARG001 - nobody is unwelcome
    return False


class Ingest:
    """Queues what adapters hear, but for what it is to ignore.

    It returns once all is safely queued and not before: an adapter that waits for it reads no further, so a full queue
    or a lost Redis is felt by the chat service instead of in our memory.
    """

    def __init__(
        self, enqueue: Enqueue, ignores: Callable[[Heard], bool] = _ignore_nothing
    ) -> None:
        self._enqueue = enqueue
        self._ignores = ignores

    async def __call__(self, *heard: Heard) -> None:
        """Queue what was heard in its order, or recognise that it was queued before."""
        waits = backoff(FIRST_WAIT, LAST_WAIT, random.random)
        heard = tuple(one for one in heard if self._wants(one))
        while refused := await self._queue(heard):
            wait = next(waits)
            log.warning(
                "not reading on",
                messages=len(refused),
                room=refused[0][0].conversation,
                error=str(refused[0][1]),
                seconds=round(wait, 1),
            )
            await trio.sleep(wait)
            heard = tuple(one for one, _ in refused)

    def _wants(self, one: Heard) -> bool:
        if not self._ignores(one):
            return True
        log.debug("ignored", room=one.conversation, message=one.id)
        return False

    async def _queue(self, heard: Sequence[Heard]) -> list[tuple[Heard, HachatError]]:
        """Return those that could not be queued yet, and why."""
        refused: list[tuple[Heard, HachatError]] = []
        if not heard:
            return refused
        outcomes = await retry(partial(self._enqueue, heard))
        for one, outcome in zip(heard, outcomes, strict=True):
            told = {"room": one.conversation, "message": one.id}
            if isinstance(outcome, WireError):
                log.warning("message refused", **told, error=str(outcome))
            elif isinstance(outcome, QueueFull) and isinstance(one, Event):
                log.warning("event lost", **told, name=one.name, error=str(outcome))
            elif isinstance(outcome, HachatError):
                refused.append((one, outcome))
            else:
                log.debug("heard", **told, new=outcome)
        return refused
