"""How a route wants to be run: whether again, how long, how many at once, in what order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hachat.core.errors import HandlerError
from hachat.core.messages import Order

DELAYS = (1.0, 4.0, 15.0, 60.0, 300.0)
"""Seconds until what failed is tried again, for the first time and so on; after the last try it is given up."""

COMMAND_AGE = 600.0
"""Seconds after which what people said is not worth answering any more."""


class Retry(Exception):
    """Raised by a handler that wants to be run again, `after` seconds at the earliest."""

    def __init__(self, reason: str = "", *, after: float) -> None:
        self.after = max(0.0, after)
        super().__init__(reason or f"to be tried again in {after:g} s")


@dataclass(frozen=True, slots=True)
class Policy:
    """How one route is run.

    `retry="never"` makes it at most once: that it begins is stored before it begins, and it is not begun again.
    `timeout` are seconds it may take, None for what the node allows; `age` are seconds after which a message is too old
    to be answered, None for never; `order` is what it waits for, empty for what the settings say; at most `concurrency`
    run at once on a node, 0 for any number.  With `run="process"` a method that is not async is run in another process.
    """

    retry: Literal["backoff", "never"] = "backoff"
    timeout: float | None = None
    age: float | None = None
    order: Order | Literal[""] = ""
    concurrency: int = 0
    run: Literal["", "process"] = ""

    def check(self, where: str) -> Policy:
        """Return this policy.

        Raises:
            HandlerError: something in it cannot work; `where` says whose it is.
        """
        if self.retry not in ("backoff", "never"):
            raise HandlerError(f'{where}: retry={self.retry!r}; write "backoff" or "never"')
        if self.order not in ("", "room", "thread", "user", "none"):
            raise HandlerError(
                f'{where}: order={self.order!r}; write "room", "thread", "user" or "none"'
            )
        if self.run not in ("", "process"):
            raise HandlerError(f'{where}: run={self.run!r}; write "process", or leave it out')
        for name, value in (("timeout", self.timeout), ("age", self.age)):
            if value is not None and not (isinstance(value, int | float) and value > 0):
                raise HandlerError(f"{where}: {name}={value!r}; write seconds above 0, or None")
        if not isinstance(self.concurrency, int) or self.concurrency < 0:
            raise HandlerError(
                f"{where}: concurrency={self.concurrency!r}; write a number, 0 for any"
            )
        return self


PLAIN = Policy()
"""How a route is run that says nothing."""


def choose_delay(attempt: int, dice: Callable[[], float]) -> float:
    """Return the seconds until try `attempt` + 1, of what failed for the first time in try 0: half or more of its share."""
    return DELAYS[attempt] * (0.5 + dice() / 2)
