"""A term of office: a cancel scope whose deadline is the lease's own, on a clock that a suspended machine does not stop."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import trio

from hachat.cluster.health import Health
from hachat.core.lease import Cause, Lease

Clock = Callable[[], float]

_LOOK = 0.2
"""Seconds between two looks at the clock that also counts while the machine is suspended."""


class Term:
    """One term of office: what the master's duty is given, and what everything done in its name is fenced with."""

    def __init__(self, lease: Lease, clock: Clock) -> None:
        self.token = str(lease.token)
        self.epoch = lease.token.epoch
        self.leaving = trio.Event()
        """Set when the duty should drain and return."""
        self.over = trio.Event()
        """Set when the duty has ended and the lease has been given back, or could not be."""
        self.health = Health()
        """Where the duty says whether it can be done."""
        self.lease = lease
        self.scope = trio.CancelScope()
        self.heir = ""
        self.barred = 0.0
        self.reason = "stopped"
        self.cause: Cause = "stopped"
        self.by = ""
        self.wanted = trio.Event()
        self.confirmed = trio.Event()
        self._clock = clock
        self.follow_clock()

    def remaining(self) -> float:
        """Return for how many seconds the lease surely lasts; 0 once the term is over."""
        return self.lease.remaining(self._clock())

    async def confirm(self) -> None:
        """Have the lease renewed now, and return once it is."""
        self.wanted.set()
        await self.confirmed.wait()

    def follow_clock(self) -> None:
        """Move the scope's deadline to the lease's: trio's clock stands still while the machine is suspended."""
        self.scope.deadline = trio.current_time() + self.remaining()

    async def guard(self) -> None:
        """Let the term fall when the machine wakes up, and not only when a renewal is due."""
        while True:
            await trio.sleep(_LOOK)
            self.follow_clock()

    def leave(self, heir: str, barred: float, reason: str, cause: Cause, by: str = "") -> None:
        """Ask the duty to drain and return, so that `heir`, or anyone, can take over."""
        if not self.leaving.is_set():
            self.heir, self.barred, self.reason = heir, barred, reason
            self.cause, self.by = cause, by
            self.leaving.set()


Duty = Callable[[Term], Awaitable[None]]
"""What a master does, for as long as its term lasts."""


def read_clock() -> float:
    """Return seconds of a clock that also counts while the machine is suspended, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
