"""Waiting for what must become true: tests ask again until it is, and never sleep on a guess."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, TypeVar

import trio

T = TypeVar("T")

_AGAIN = 0.01
"""Seconds between two looks."""


async def until(condition: Callable[[], Any], within: float = 5.0) -> Any:
    """Return the first true value of `condition`, which may be async.

    Raises:
        AssertionError: it was not true within `within` seconds.
    """
    give_up = trio.current_time() + within
    while True:
        value = condition()
        found = await value if inspect.isawaitable(value) else value
        if found:
            return found
        assert trio.current_time() < give_up, f"not within {within} s: {_source(condition)}"
        await trio.sleep(_AGAIN)


def until_sync(condition: Callable[[], T], within: float = 5.0) -> T:
    """Do what `until` does, outside of trio."""
    give_up = monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        assert monotonic() < give_up, f"not within {within} s: {_source(condition)}"
        sleep(_AGAIN)


def _source(condition: object) -> str:
    try:
        return inspect.getsource(condition).strip()  # type: ignore[arg-type]
    except (OSError, TypeError):
        return repr(condition)
