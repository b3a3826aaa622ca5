"""From what somebody wrote to what a method is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from hachat.bot.quoting import shorten
from hachat.bot.services import Services
from hachat.bot.texts import ENGLISH, Texts
from hachat.core.durations import Duration
from hachat.core.messages import Room, User
from hachat.core.phrases import gettext_noop

Kind = type[str] | type[int] | type[float] | type[bool] | type[Duration] | type[User] | type[Room]

KINDS: tuple[Kind, ...] = (str, int, float, bool, Duration, User, Room)
"""What a parameter of a command may be annotated with."""

_FAULTS: dict[Kind, str] = {
    int: gettext_noop("{name} must be a whole number, not {said}."),
    float: gettext_noop("{name} must be a number, not {said}."),
    bool: gettext_noop("{name} must be yes or no, not {said}."),
    Duration: gettext_noop("{name} must be a time such as 30s, 5m or 2h, not {said}."),
}
_ON = gettext_noop("yes, y, true, on, 1")
_OFF = gettext_noop("no, n, false, off, 0")

_READ: dict[Kind, Callable[[str], object]] = {int: int, float: float, Duration: Duration}


def convert(name: str, said: str, kind: Kind, texts: Texts = ENGLISH) -> object:
    """Return `said` as what the parameter `name` is to be; a user or a room stays text until it is looked for.

    Raises:
        ValueError: it is no such thing; says so to the user.
    """
    if kind is str or kind is User or kind is Room:
        return said
    try:
        value = _read_switch(said, texts) if kind is bool else _READ[kind](said)
    except ValueError:
        value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(texts.say(_FAULTS[kind], name=name, said=shorten(said)))
    return value


def _read_switch(said: str, texts: Texts) -> bool:
    word = said.casefold()
    if word in texts.list_words(_ON):
        return True
    if word in texts.list_words(_OFF):
        return False
    raise ValueError(f"{said} is neither")


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
