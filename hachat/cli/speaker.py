"""As whom and where somebody at a console speaks, and how they change that: `/as USER`, `/in ROOM`.

Both are of the console's own: whose rights one has on a real chat service cannot be taken from here.
"""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache

from hachat.core.errors import UsageError
from hachat.store.console import find_room

ORDERS = {
    "/as": "/as USER   speak as a user of the console; /as alone: as yourself again",
    "/in": "/in ROOM   speak in a room of the console; /in alone: where you began",
    "/help": "/help      show this; what begins with // is said with one /",
}
"""What one can tell the console instead of the bot."""

_OURS = "console/"
_NAME = re.compile(r"[^\s/@\ud800-\udfff][^/\x00-\x1f\x7f\ud800-\udfff]{0,99}")


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody at a console; without a `room` they are alone with the bot."""

    user: str
    room: str = ""

    @property
    def place(self) -> str:
        """The room they speak in."""
        return self.room or find_room(self.user)

    def describe(self, home: Speaker) -> str:
        """Return in which ways this is not who and where they were in the beginning."""
        changed = f"as {self.user}" if self.user != home.user else ""
        moved = f"in {self.place}" if self.room != home.room else ""
        return " ".join(filter(None, (changed, moved)))


def make_speaker(user: str, room: str = "") -> Speaker:
    """Return who speaks where.

    Raises:
        UsageError: it is no user or no room of the console.
    """
    return Speaker(_read("user", user), _read("room", room) if room else "")


def is_order(text: str) -> bool:
    """Tell whether a line is meant for the console and not for the bot."""
    return text.startswith("/") and not text.startswith("//")


def unescape(text: str) -> str:
    """Return what is said by a line that is no order."""
    return text.removeprefix("/") if text.startswith("//") else text


def obey(order: str, now: Speaker, home: Speaker) -> Speaker:
    """Return who speaks where after `/as` or `/in`; without a name it is as in the beginning, at `home`.

    Raises:
        UsageError: there is no such order, or no such user or room.
    """
    word, _, name = order.partition(" ")
    name = name.strip()
    if word == "/as":
        return replace(now, user=_read("user", name) if name else home.user)
    if word == "/in":
        return replace(now, room=_read("room", name) if name else home.room)
    near = get_close_matches(word, ORDERS, 1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    raise UsageError(
        f"the console knows no {word}{hint} /help lists what it knows, // says a line to the bot"
    )


@cache
def find_login() -> str:
    """Return the name of the account this process runs as, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _read(kind: str, text: str) -> str:
    name = text.strip().removeprefix(_OURS)
    if "/" in name:
        raise UsageError(f"{name} is not of the console, which speaks for its own users and rooms")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{text!r} is no {kind} of the console: no / and no @ in front, 100 characters at most"
        )
    return name
