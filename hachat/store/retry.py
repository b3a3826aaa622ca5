"""Asking again until Redis answers, for what is safe to ask twice."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
import trio

from hachat.core.backoff import backoff
from hachat.core.errors import StoreError

log = structlog.get_logger(__name__)

T = TypeVar("T")

FIRST_WAIT, LAST_WAIT = 0.05, 0.25
"""Seconds between two tries: doubled from the first to the last, for nothing is said until the one after Redis is back."""


async def retry(
    operation: Callable[[], Awaitable[T]], *, unless: type[StoreError] | tuple[()] = ()
) -> T:
    """Return what `operation` returns, repeating it while Redis is away or refuses; only its caller's cancel ends it.

    An error of the kind `unless` is not worth another try and is raised.
    """
    try:
        return await operation()
    except unless:
        raise
    except StoreError as error:
        log.warning("asking Redis again, and on until it answers", error=str(error))
    for wait in backoff(FIRST_WAIT, LAST_WAIT, random.random):
        await trio.sleep(wait)
        try:
            return await operation()
        except unless:
            raise
        except StoreError as error:
            log.debug("asking Redis again", error=str(error), waited=wait)
    raise AssertionError("backoff never ends")
