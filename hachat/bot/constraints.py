"""Where a route is tried, before which others, and how often it may be run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from hachat.core.access import matches
from hachat.core.errors import HandlerError
from hachat.core.messages import Room
from hachat.core.rates import Rate, read_rate

NAMES = ("rooms", "priority", "stop", "rate", "rate_by", "bots")
"""The options of a decorator that are told here."""


@dataclass(frozen=True)
class Constraints:
    """What restricts a route that is run for what is said.

    It is tried in `rooms` only, globs for addresses or names, none for everywhere; routes of a higher `priority` come first, and
    those that come after one that matched are left out if that is to `stop`.  It is run no more often than `rate`.  What other
    bots say is for routes that want `bots`, too, and no others: or two of them could talk to each other for ever.
    """

    rooms: tuple[str, ...] = ()
    priority: int = 0
    stop: bool = False
    rate: Rate | None = None
    bots: bool = False

    def allow(self, room: Room | None) -> bool:
        """Tell whether the route is for `room`."""
        return is_among(room, self.rooms)


def is_among(room: Room | None, globs: Collection[str]) -> bool:
    """Tell whether a room is one of those that `globs` describe by address or name; all are, if there are none."""
    if not globs or room is None:
        return not globs
    names = {room.address.casefold(), room.name.casefold()}
    return any(matches(glob.casefold(), name) for glob in globs for name in names)


FREE = Constraints()
"""Nothing restricts it."""


def read_constraints(where: str, options: dict[str, Any]) -> Constraints:
    """Take those of `options` that are told here, and return what they say; `where` says whose they are.

    Raises:
        HandlerError: one of them cannot be used; says which and what to write.
    """
    rooms = options.pop("rooms", ())
    priority, stop = options.pop("priority", 0), options.pop("stop", False)
    bots = options.pop("bots", False)
    rate, by = options.pop("rate", None), options.pop("rate_by", "user")
    if isinstance(rooms, str) or not all(isinstance(glob, str) and glob for glob in rooms):
        raise HandlerError(f'{where}: rooms={rooms!r}; write a list of globs: ["irc/#ops*"]')
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise HandlerError(f"{where}: priority={priority!r}; write a whole number, higher is first")
    for name, value in (("stop", stop), ("bots", bots)):
        if not isinstance(value, bool):
            raise HandlerError(f"{where}: {name}={value!r}; write True or False")
    try:
        limit = None if rate is None else read_rate(rate, by)
    except ValueError as error:
        raise HandlerError(f"{where}: {error}") from error
    return Constraints(tuple(rooms), priority, stop, limit, bots)
