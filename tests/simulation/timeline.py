"""Virtual time: when no task of trio can run, the next thing in the world happens."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf

import trio

Action = Callable[[], object]


class Timeline(trio.abc.Clock):
    """A clock for `trio.run` that jumps from event to event, and does what was put down for each moment.

    Only the electors and their duties are tasks.  Servers, Sentinels and messages are actions: plain calls, a tenth
    as dear.  An action that wakes a task must set `woken`, so that time stands still until the task has run.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.woken = False
        self.ended = False
        self._actions: list[tuple[float, int, Action]] = []
        self._order = count()

    def at(self, when: float, action: Action) -> None:
        """Do `action` at that moment; those of one moment in the order they were put down."""
        heappush(self._actions, (max(when, self.now), next(self._order), action))

    def after(self, seconds: float, action: Action) -> None:
        """Do `action` in so many seconds."""
        self.at(self.now + seconds, action)

    def start_clock(self) -> None:
        """Do nothing: it stands at 0."""

    def current_time(self) -> float:
        """Return the seconds since the beginning."""
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Go on to `deadline`, or to the first action before it that wakes a task.

        Raises:
            RuntimeError: nothing will ever happen again.
        """
        actions, self.woken = self._actions, False
        # Once the main task has ended, trio tidies up in real time, by a socket to itself.
        while not self.ended and actions and actions[0][0] <= deadline:
            self.now, _, action = heappop(actions)
            action()
            if self.woken:
                return 0.0
        if self.ended:
            return 0.0
        if deadline == inf:
            raise RuntimeError("the world stands still")
        self.now = max(self.now, deadline)
        return 0.0
