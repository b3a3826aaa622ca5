"""Who may do what, as operators set it, and what follows from that.

Users and rooms are meant by their addresses, `<adapter>/<id>`, never by a name, which anybody can take.  Where one is
described, `*` stands for any characters, `?` for one, and all others for themselves: brackets, too, because nicks
have them.  Upper and lower case differ, as they do in ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

ADMINS = "admins"
"""The group of those who may do all; its members are in the settings alone."""

_GROUP = re.compile(r"[a-z0-9_-]{1,50}")


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lets commands be run, or has them refused; what is left out means all.

    Attributes:
        effect: What becomes of a command it describes.
        user: Whose.
        room: Where.
        command: Which: `<handler>.<method>`, or as it is said without the bot's name.
    """

    effect: Literal["allow", "deny"]
    user: str = "*"
    room: str = "*"
    command: str = "*"

    def describes(self, user: str, room: str, route: str, text: str) -> bool:
        """Tell whether it is about the command `text` of `route`, from the user and the room of these addresses."""
        return (
            matches(self.user, user)
            and matches(self.room, room)
            and (matches(self.command, route) or matches(_fold(self.command), _fold(text)))
        )


class AccessSettings(Struct, frozen=True, kw_only=True):
    """Who may do what.

    Attributes:
        admins: Who may do all.
        groups: Who is in which group, beside those who are added to it in chat.
        rules: What holds before groups are looked at; the first that describes a command decides.
    """

    admins: tuple[str, ...] = ()
    groups: dict[str, tuple[str, ...]] = {}
    rules: tuple[Rule, ...] = ()

    def check(self) -> Iterator[str]:
        """Yield a fault for each group that cannot be one, and each user who cannot."""
        if wrong := find_fault(self.admins):
            yield f"admins: {wrong}"
        for name, members in self.groups.items():
            if wrong := find_fault(members):
                yield f"groups.{name}: {wrong}"
            if name == ADMINS:
                yield f"groups.{name}: write them into access.admins"
            elif not is_group(name):
                yield f"groups.{name}: expected a name of a-z, 0-9, _ and -, 50 characters at most"

    def is_admin(self, user: str) -> bool:
        """Tell whether the user of this address may do all."""
        return _is_among(user, self.admins)

    def is_member(self, user: str, groups: Iterable[str]) -> bool:
        """Tell whether the settings say that the user of this address is in one of `groups`."""
        return any(_is_among(user, self.groups.get(group, ())) for group in groups)

    def find_rule(self, user: str, room: str, route: str, text: str) -> Rule | None:
        """Return the first rule about a command; see `Rule.describes`."""
        return next((rule for rule in self.rules if rule.describes(user, room, route, text)), None)


def matches(pattern: str, text: str) -> bool:
    """Tell whether all of `text` is what `pattern` describes with `*` and `?`."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def find_fault(addresses: Iterable[str]) -> str:
    """Return what is wrong with descriptions of addresses, or nothing."""
    wrong = [one for one in addresses if "/" not in one and "*" not in one]
    return f"expected addresses, such as irc/ada or irc/*, not {wrong[0]!r}" if wrong else ""


def is_group(name: str) -> bool:
    """Tell whether a group can be called that."""
    return _GROUP.fullmatch(name) is not None


def _is_among(user: str, patterns: Iterable[str]) -> bool:
    return any(matches(pattern, user) for pattern in patterns)


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold()
