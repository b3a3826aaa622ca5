"""Counts how often routes are run, so that none is run more often than it allows."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from hachat.core.rates import Count, Rate, Turn

_MOST = 10_000


class Throttle(Protocol):
    """Counts runs, in the whole cluster."""

    async def __call__(self, name: str, rate: Rate) -> Turn:
        """Count a run of what is called `name`, if it may be run; raises StoreError if nobody can tell."""
        ...


class LocalThrottle:
    """Counts in this process only: a `Throttle` for a robot without a cluster."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._counts: OrderedDict[str, Count] = OrderedDict()

    async def __call__(self, name: str, rate: Rate) -> Turn:
        """Count a run, as a `Throttle` does."""
        count, turn = self._counts.pop(name, Count()).take(rate, self._now())
        self._counts[name] = count
        if len(self._counts) > _MOST:
            self._counts.popitem(last=False)
        return turn
