"""How often something may be done: so many times in a span of time, by each user, in each room, or by all."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from hachat.core.messages import Message
from hachat.core.slots import parse_duration

By = Literal["user", "room", "route"]
"""What is counted apart from others: each user, each room, or only the route."""

_MOST = 1_000_000
_ROUNDING = 1e-6
_UNITS = (("s", 1, 90.0), ("min", 60, 5400.0), ("h", 3600, math.inf))


@dataclass(frozen=True)
class Rate:
    """So many runs in any `seconds`, of each user, of each room or of all."""

    runs: int
    seconds: float
    by: By = "user"

    def __str__(self) -> str:
        return f"{self.runs} in {format_wait(self.seconds)}"

    def name(self, route: str, message: Message) -> str:
        """Return what is counted together when `route` is run for `message`."""
        if self.by == "user":
            return f"{route}@{message.room.adapter}/{message.user.id}"
        return f"{route}@{message.room.address}" if self.by == "room" else route


@dataclass(frozen=True)
class Turn:
    """Whether it may be done now: after `wait` seconds, 0 for now; `first` says that nobody has been told of that yet."""

    wait: float = 0.0
    first: bool = False


@dataclass(frozen=True)
class Count:
    """How far one name has got; times are seconds.

    The generic cell rate algorithm (ITU-T I.371): each run moves a theoretical arrival on by its share of the span, and may be
    run if that stays within the span.  Until `told` whoever is refused has been told.
    """

    arrival: float = -math.inf
    told: float = -math.inf

    def take(self, rate: Rate, now: float) -> tuple[Count, Turn]:
        """Return the count after a run at `now`, and whether that may be run."""
        arrival = max(now, self.arrival) + rate.seconds / rate.runs
        wait = arrival - now - rate.seconds
        if wait <= _ROUNDING:
            return Count(arrival, self.told), Turn()
        if self.told > now:
            return self, Turn(wait)
        return Count(self.arrival, now + wait), Turn(wait, first=True)


def read_rate(rate: object, by: By = "user") -> Rate:
    """Return the rate that is written as `5/1m` or `5/m`.

    Raises:
        ValueError: it is none; says what to write.
    """
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\S.*)", rate) if isinstance(rate, str) else None
    hint = f'rate={rate!r}: write how often in what time, such as "5/1m"'
    if found is None or not 1 <= int(found[1]) <= _MOST:
        raise ValueError(hint)
    if by not in ("user", "room", "route"):
        raise ValueError(f'rate_by={by!r}: write "user", "room" or "route"')
    try:
        seconds = parse_duration(found[2] if found[2][0].isdigit() else f"1{found[2]}")
    except ValueError:
        seconds = 0.0
    if not seconds:
        raise ValueError(hint)
    return Rate(int(found[1]), seconds, by)


def format_wait(seconds: float) -> str:
    """Return a span of time in words, rounded up: `40 s`, `3 min`, `2 h`."""
    unit, size = next((u, s) for u, s, most in _UNITS if seconds <= most)
    return f"{math.ceil(seconds / size - _ROUNDING)} {unit}"
