"""From what somebody wrote to what a method is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from hachat.bot.quoting import shorten
from hachat.bot.services import Services
from hachat.core.durations import Duration
from hachat.core.messages import Room, User

Kind = type[str] | type[int] | type[float] | type[bool] | type[Duration] | type[User] | type[Room]

KINDS: tuple[Kind, ...] = (str, int, float, bool, Duration, User, Room)
"""What a parameter of a command may be annotated with."""

_NOUNS: dict[Kind, str] = {
    int: "a whole number",
    float: "a number",
    bool: "yes or no",
    Duration: "a time such as 30s, 5m or 2h",
}
_WORDS = {
    **dict.fromkeys(("yes", "y", "true", "on", "1"), True),
    **dict.fromkeys(("no", "n", "false", "off", "0"), False),
}

_READ: dict[Kind, Callable[[str], object]] = {
    int: int,
    float: float,
    bool: lambda said: _WORDS[said.casefold()],
    Duration: Duration,
}


def convert(name: str, said: str, kind: Kind) -> object:
    """Return `said` as what the parameter `name` is to be; a user or a room stays text until it is looked for.

    Raises:
        ValueError: it is no such thing; says so to the user.
    """
    if kind is str or kind is User or kind is Room:
        return said
    make = _READ[kind]
    try:
        value = make(said)
    except (ValueError, KeyError):
        value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be {_NOUNS[kind]}, not {shorten(said)}.")
    return value


async def look_up(
    arguments: Mapping[str, object], kinds: Mapping[str, Kind], services: Services, adapter: str
) -> dict[str, object]:
    """Return `arguments` with the users and rooms that are meant, as `adapter` knows them.

    Raises:
        FindError: there is none of that name, or several; says so to the user.
    """
    found = dict(arguments)
    for name, value in arguments.items():
        kind = kinds.get(name)
        if isinstance(value, str) and kind is User:
            found[name] = await services.find_user(adapter, value)
        elif isinstance(value, str) and kind is Room:
            found[name] = await services.find_room(adapter, value)
    return found
