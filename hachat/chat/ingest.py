"""The road in: from an adapter to the inbound queue."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
import trio

from hachat.core.backoff import backoff
from hachat.core.errors import QueueFull, WireError
from hachat.core.messages import Message
from hachat.store.retry import retry

log = structlog.get_logger(__name__)

Enqueue = Callable[[Message], Awaitable[bool]]
"""Queues a message once; True when it was queued now, False when its event was queued before."""


class Ingest:
    """Queues what adapters hear.

    It returns once a message is safely queued and not before: an adapter that waits for it reads no further, so a
    full queue or a lost Redis is felt by the chat service instead of in our memory.
    """

    def __init__(self, enqueue: Enqueue) -> None:
        self._enqueue = enqueue

    async def __call__(self, message: Message) -> None:
        """Queue `message`, or recognise that its event was queued before."""
        waits = backoff(0.1, 5.0, random.random)
        while True:
            try:
                queued = await retry(partial(self._enqueue, message))
            except QueueFull as error:
                wait = next(waits)
                log.warning(
                    "not reading on",
                    room=message.room.address,
                    error=str(error),
                    seconds=round(wait, 1),
                )
                await trio.sleep(wait)
            except WireError as error:
                log.warning("message refused", room=message.room.address, error=str(error))
                return
            else:
                log.debug("heard", room=message.room.address, message=message.id, new=queued)
                return
