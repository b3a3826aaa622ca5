"""Whom and what the bot has met, and what a user or a room is found by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

import msgspec

from hachat.core.errors import Ambiguous, NotFound
from hachat.core.phrases import Say, gettext_noop, say_english

SHOWN = 5
"""Candidates that are named to somebody who did not say which."""

_UNKNOWN = {
    "user": gettext_noop("I know no user called {name}."),
    "room": gettext_noop("I know no room called {name}."),
}

_MENTION = re.compile(r"<[@#!]*([^<>|]+)(?:\|[^<>]*)?>")


class Known(msgspec.Struct, frozen=True):
    """A user or a room that was met: by which id and name on which adapter, first and last when, Unix seconds."""

    adapter: str
    id: str
    name: str = ""
    private: bool = False
    first: float = 0.0
    last: float = 0.0

    @property
    def address(self) -> str:
        """`<adapter>/<id>`."""
        return f"{self.adapter}/{self.id}"

    @property
    def names(self) -> list[str]:
        """What it is found by, folded; a channel by its name without the sign, too."""
        name = fold(self.name or self.id)
        return list(dict.fromkeys(found for found in (name, name.lstrip("#&!@")) if found))

    def __str__(self) -> str:
        """Return the name with the id, if they differ."""
        return f"{self.name} ({self.id})" if self.name not in ("", self.id) else self.id


def fold(name: str) -> str:
    """Return `name` as it is compared with others: without regard to case and width."""
    return unicodedata.normalize("NFKC", name).casefold().replace("\0", "").strip()


def read_id(adapter: str, text: str) -> str:
    """Return the id that `text` is, if it is one: plain, as an address, or as services write a mention."""
    mention = _MENTION.fullmatch(text.strip())
    return (mention[1] if mention else text.strip()).removeprefix(f"{adapter}/")


def read_name(adapter: str, text: str) -> str:
    """Return the name that `text` is, folded: plain or as a mention."""
    return fold(read_id(adapter, text)).lstrip("@")


def choose(
    kind: Literal["user", "room"],
    text: str,
    found: Sequence[Known],
    name: str,
    say: Say = say_english,
) -> Known:
    """Return the one of `found` that is meant by `text`: the only one of that `name`, or else the only one.

    Raises:
        NotFound, Ambiguous: there is none, or more than one; says so to whoever wrote `text`, with `say`.
    """
    text = text.strip()
    same = [one for one in found if name in one.names] or list(found)
    if len(same) == 1:
        return same[0]
    if not same:
        raise NotFound(say(_UNKNOWN[kind], name=text))
    candidates = [str(one) for one in same[:SHOWN]]
    listed = ", ".join(candidates)
    if len(same) > SHOWN:
        listed = say("{candidates}, and more", candidates=listed)
    sentence = say(
        "{name} may be {candidates}; say which, by the id.", name=text, candidates=listed
    )
    raise Ambiguous(sentence, candidates)
