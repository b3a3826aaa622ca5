"""Where does the loop stand, when it stands?  A thread looks, and logs it.

Whatever blocks the loop, a handler that sleeps or a library that waits, can be named only while it does, and by somebody else.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import structlog
import trio

LONG = 1.0
"""Seconds without a tick of the loop that are told of."""

LOOK = 0.25
"""Seconds between two looks of the thread."""

PLACES = 20
"""Places that are told of a stack, half of them the innermost."""

log = structlog.get_logger(__name__)


class Stall:
    """Logs once of each time that the loop stands; `turned_at` tells when it last did not, on `clock`."""

    def __init__(
        self, turned_at: Callable[[], float], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._turned_at = turned_at
        self._clock = clock
        self._told = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Have a thread look at the loop this runs in, until cancelled."""
        ended = threading.Event()
        watch = threading.Thread(
            target=self._watch, args=(threading.get_ident(), ended), name="stall", daemon=True
        )
        watch.start()
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            ended.set()

    def look(self, thread: int) -> None:
        """Log where `thread` stands, if it is the first look since it does."""
        seconds = self._clock() - self._turned_at()
        if seconds < LONG:
            self._told = False
        elif not self._told:
            self._told = True
            places = list(_describe(sys._current_frames().get(thread)))  # noqa: SLF001 - as faulthandler does
            if len(places) > PLACES:
                places[PLACES // 2 : -PLACES // 2] = ["..."]
            log.error("the loop is blocked", seconds=round(seconds, 2), stack=places)

    def _watch(self, thread: int, ended: threading.Event) -> None:
        while not ended.wait(LOOK):
            self.look(thread)


def _describe(frame: FrameType | None) -> Iterator[str]:
    """Yield the places of a stack, the innermost first, without those of the loop itself."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", "?"))
        if module.partition(".")[0] not in {"trio", "outcome"}:
            yield f"{module}.{frame.f_code.co_qualname}:{frame.f_lineno}"
        frame = frame.f_back
