"""A message that tells how far some work is, and is not said again each time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol, Self

from hachat.bot.handle import RECORDED

SOON = 2.0
"""Seconds between two changes of the message; chat services allow no more than about one a second."""

LINE = 30.0
"""Seconds between two lines where messages cannot be changed."""

OFTEN = 50
"""Changes after which one each `LINE` seconds is enough: a handler may say only so much."""


class Show(Protocol):
    """Changes the message."""

    def __call__(self, text: str, *, passing: bool) -> object:
        """Let it read `text`; one that is `passing` is not worth a new line where messages cannot be changed."""


class Progress:
    """How far the work `title` is, used as a context manager; `now` is seconds."""

    def __init__(self, title: str, show: Show, now: Callable[[], float] = time.monotonic) -> None:
        self._title = title
        self._show = show
        self._now = now
        self._changes = 0
        self._changed_at = self._line_at = now()
        self._text = self._told = title

    def update(self, text: str) -> Awaitable[None]:
        """Say how far it is; what comes too soon is shown with the next change, the last at the end."""
        self._text = f"{self._title}: {text}"
        now = self._now()
        if now - self._changed_at >= (SOON if self._changes < OFTEN else LINE):
            self._changes += 1
            self._changed_at = now
            self._change(now, passing=now - self._line_at < LINE)
        return RECORDED

    def __enter__(self) -> Self:
        """Begin, in a method that is not async."""
        return self

    def __exit__(self, *_: object) -> None:
        """Show what was said last."""
        if self._text != self._told:
            self._change(self._now(), passing=False)

    async def __aenter__(self) -> Self:
        """Begin, in a method that is async."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Show what was said last."""
        self.__exit__()

    def _change(self, now: float, *, passing: bool) -> None:
        self._show(self._text, passing=passing)
        if not passing:
            self._told, self._line_at = self._text, now
