"""Schedules as arithmetic: at which moments something is due.

Such a moment is a *slot*, a whole number of Unix milliseconds.  Every node computes the same slots from the same
schedule, so that a slot can be agreed upon by its number alone.  Callers pass the time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Literal, Protocol, get_args
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from hachat.core.errors import HandlerError

Missed = Literal["skip", "latest", "all"]
"""What becomes of slots at which nobody was there: none of them is due any more, the latest is, or all are."""

MOST_MISSED = 100
"""Missed slots that are made up for with `all`; older ones are let go."""

LATE = 60.0
"""Seconds after which a slot counts as missed for `skip`; nodes change places faster than that."""

SHORTEST = 1.0
"""Seconds of the shortest period."""

LONGEST = 10 * 366 * 24 * 3600.0
"""Seconds of the longest duration."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s*[smhdw]\s*)+")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_GROUPS = {"daily": "*", "weekdays": "1-5", "weekends": "0,6"}
_FIELDS = 5

_HINT = (
    "write seconds (30), a duration ('5m', '2h'), 'hourly', 'daily 09:00', 'weekdays 09:00', 'monday 10:30', "
    "or the five fields of a cron line ('*/15 8-18 * * mon-fri')"
)


class _Times(Protocol):
    def after(self, moment: int) -> int | None:
        """Return the first slot later than `moment`; None if there is none within fifty years."""
        ...

    def recent(self, last: int, now: int, most: int) -> list[int]:
        """Return the latest slots after `last` and until `now`, at most `most`, in their order."""
        ...


@dataclass(frozen=True)
class Schedule:
    """When something is due again and again; `text` is how its author wrote it, `tz` the zone of its wall clock."""

    text: str
    tz: str
    missed: Missed
    times: _Times

    def next(self, after: int) -> int | None:
        """Return the first slot later than `after`; None if there is none within fifty years."""
        return self.times.after(after)

    def due(self, last: int, now: int) -> list[int]:
        """Return the slots after `last` that are to be run at `now`, in their order: none, one, or `MOST_MISSED`."""
        if now <= last:
            return []
        slots = self.times.recent(last, now, MOST_MISSED if self.missed == "all" else 1)
        if self.missed == "skip":
            return [slot for slot in slots if now - slot <= LATE * 1000]
        return slots


@dataclass(frozen=True)
class _Period:
    """Multiples of a period since the epoch: nothing drifts, and nodes need not agree on a beginning."""

    length: int

    def after(self, moment: int) -> int:
        return (moment // self.length + 1) * self.length

    def recent(self, last: int, now: int, most: int) -> list[int]:
        end = now // self.length + 1
        first = max(last // self.length + 1, end - most)
        return [number * self.length for number in range(first, end)]


@dataclass(frozen=True)
class _Cron:
    """A cron line in a time zone.

    A fixed time of day that a change of the clock leaves out is due right after the change, and one that comes twice
    is due the first time.  What is due every so many minutes or hours goes by the time that truly passes.
    """

    line: str
    zone: ZoneInfo

    def after(self, moment: int) -> int | None:
        return next(self._walk(moment), None)

    def recent(self, last: int, now: int, most: int) -> list[int]:
        # Looking back further and further finds the latest slots without going through years of missed ones.
        span = 3_600_000
        while True:
            start = max(last, now - span)
            slots = list(takewhile(lambda slot: slot <= now, self._walk(start)))
            if len(slots) >= most or start == last:
                return slots[-most:]
            span *= 4

    def _walk(self, moment: int) -> Iterator[int]:
        """Yield the slots later than `moment`."""
        for found in CronSim(self.line, datetime.fromtimestamp(moment // 1000, self.zone)):
            slot = int(found.timestamp()) * 1000
            if (
                slot > moment
            ):  # within an hour that comes twice the walk begins with the first of the two
                yield slot


def parse_schedule(when: str | float, tz: str = "UTC", missed: Missed = "latest") -> Schedule:
    """Return the schedule that `when` describes.

    Args:
        when: Seconds, a duration (`5m`), a friendly form (`weekdays 09:00`), or the five fields of a cron line.
        tz: The time zone of the wall clock, as the IANA names it: `Europe/Berlin`.  A period has none.
        missed: What becomes of slots at which nobody was there.

    Raises:
        HandlerError: something of it cannot be used; says what to write.
    """
    if missed not in get_args(Missed):
        raise HandlerError(f"missed={missed!r}: write 'skip', 'latest' or 'all'")
    if _is_duration(when):
        return Schedule(str(when), "UTC", missed, _Period(_read_period(when, tz)))
    if not isinstance(when, str):
        raise HandlerError(f"{when!r} is no schedule; {_HINT}")
    cron = _Cron(_read_line(when), _read_zone(tz))
    try:
        first = cron.after(0)
    except CronSimError as error:
        raise HandlerError(f"{when!r} is no cron line ({error}); {_HINT}") from error
    if first is None:
        raise HandlerError(f"{when!r} never comes; {_HINT}")
    return Schedule(when, tz, missed, cron)


def parse_duration(text: str | float) -> float:
    """Return the seconds of `30`, `"30s"`, `"5m"`, `"1h 30m"`, `"2d"` or `"1w"`.

    Raises:
        ValueError: it is not one, or longer than `LONGEST`.
    """
    seconds = math.nan
    if isinstance(text, str):
        if _DURATION.fullmatch(text.strip()):
            seconds = sum(float(size) * _UNITS[unit] for size, unit in _PART.findall(text))
        elif re.fullmatch(r"\d+(\.\d+)?", text.strip()):
            seconds = float(text)
    elif not isinstance(text, bool) and isinstance(text, int | float):
        seconds = float(text)
    if not 0 <= seconds <= LONGEST:
        raise ValueError(
            f"{text!r} is no duration; write seconds (30) or '30s', '5m', '2h', '1d', at most ten years"
        )
    return seconds


def _is_duration(when: object) -> bool:
    if isinstance(when, str):
        return bool(re.fullmatch(r"[\d.]+|" + _DURATION.pattern, when.strip()))
    return isinstance(when, int | float) and not isinstance(when, bool)


def _read_period(when: str | float, tz: str) -> int:
    try:
        seconds = parse_duration(when)
    except ValueError as error:
        raise HandlerError(str(error)) from error
    if seconds < SHORTEST:
        raise HandlerError(f"every {when!r} is too often; {SHORTEST:g} s is the shortest period")
    if tz != "UTC":
        raise HandlerError(f"every {when!r} has no time zone; leave tz out, or {_HINT}")
    return round(seconds * 1000)


def _read_zone(tz: str) -> ZoneInfo:
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, OSError, TypeError) as error:
        raise HandlerError(
            f"tz={tz!r} is no time zone known here; write one like 'UTC' or 'Europe/Berlin' "
            "(the operating system's package tzdata has them)"
        ) from error


def _read_line(when: str) -> str:
    """Return the cron line that `when` is or stands for."""
    words = when.lower().split()
    if words == ["hourly"]:
        return "0 * * * *"
    if len(words) == 2 and (clock := _CLOCK.fullmatch(words[1])):  # noqa: PLR2004 - days and a time
        return f"{int(clock[2])} {int(clock[1])} * * {_read_days(when, words[0])}"
    if len(words) == _FIELDS:
        return when
    raise HandlerError(f"{when!r} is no schedule; {_HINT}")


def _read_days(when: str, words: str) -> str:
    if words in _GROUPS:
        return _GROUPS[words]
    numbers = []
    for word in words.split(","):
        found = [n for n, day in enumerate(_DAYS) if word in (day, f"{day}s", day[:3])]
        if not found:
            raise HandlerError(f"{when!r}: {word!r} is no day; {_HINT}")
        numbers += found
    return ",".join(map(str, numbers))
