"""The master's health: one that cannot do its duty hands the lease over to a node that can, and else stays master.

::

    fault ──► it is borne ──► the others are asked to get ready ──► one is: it is handed the lease
                   ▲                          │
                   └─────twice as long────────┘ none is

A recovery ends it, wherever it is.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
import trio

from hachat.core.errors import StepDownRefused, StoreError
from hachat.tasks.services import finish_unless

log = structlog.get_logger(__name__)

PATIENCE = 10.0
"""Seconds a fault is borne at first: a service that was restarted is back by then, and has been asked four times."""

LONGEST = 180.0
"""Seconds a fault is borne at most before the others are asked once more."""

FORGET = 600.0
"""Seconds after which it is forgotten that they were asked."""

HandOver = Callable[[str], Awaitable[None]]
"""Ends the term for the given reason in favour of a node that is ready; raises StepDownRefused, StoreError."""


class Patience:
    """How long one node bears a fault: twice as long after each time it has asked the others, whatever came of it.

    It outlives terms, so nodes that all reach their services only now and then do not pass the lease round and round: each
    gives it away six times in ten minutes at most, and if it goes on like that every three minutes.
    """

    def __init__(self) -> None:
        self._seconds = PATIENCE
        self._asked = -math.inf

    @property
    def seconds(self) -> float:
        """For how long a fault that begins now is borne."""
        return PATIENCE if trio.current_time() - self._asked > FORGET else self._seconds

    def lengthen(self) -> None:
        """Take note that the others are asked now."""
        self._seconds = min(LONGEST, 2 * self.seconds)
        self._asked = trio.current_time()


class Health:
    """Whether a master can do its duty, as the duty itself says: `fault` is why not, empty if it can."""

    def __init__(self) -> None:
        self.fault = ""
        self._failed = trio.Event()
        self._recovered = trio.Event()

    def note(self, fault: str) -> None:
        """Take note of why the duty cannot be done now, or, if `fault` is empty, that it can."""
        if fault and not self.fault:
            self._recovered = trio.Event()
            self._failed.set()
        elif self.fault and not fault:
            self._failed = trio.Event()
            self._recovered.set()
        self.fault = fault

    async def watch(self, patience: Patience, hand_over: HandOver) -> None:
        """Hand over whenever a fault has lasted too long and somebody is ready; stay master otherwise, for ever."""
        while True:
            await self._failed.wait()
            await finish_unless(self._recovered, partial(self._seek, patience, hand_over))

    async def _seek(self, patience: Patience, hand_over: HandOver) -> None:
        while True:
            await trio.sleep(patience.seconds)
            patience.lengthen()
            log.warning("cannot do the master's duty; asking who can", fault=self.fault)
            try:
                await hand_over(self.fault)
            except (StepDownRefused, StoreError) as error:
                log.warning("stays master all the same", reason=str(error))
