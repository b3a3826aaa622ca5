"""Is a text meant for the bot, and what is it told to do?

Decided here, once, and not by each adapter: `hachat ping`, `@HaChat: ping`, `hachat, ping`, an alias in place of the
name, a mention by the bot's id (`<@U123>`), and everything in a private room.  Only the very start of a text counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

_NEVER = "(?!)"


class Address(msgspec.Struct, frozen=True):
    """A text that is meant for the bot.

    `command` is the text without the address, `prefix` what to write before another command in the same place.
    `called` says that nobody else can have been meant: false after a sign such as `!`, which other bots answer too.
    """

    command: str
    prefix: str
    called: bool


class Addressing:
    """The names a bot answers to.

    An alias that ends in a sign, such as `!`, needs no blank behind it; a name is a whole word.

    Raises:
        ValueError: the name or an alias is blank.
    """

    def __init__(self, name: str, aliases: Iterable[str] = ()) -> None:
        self.name = name.strip()
        calls = [self.name, *(alias.strip() for alias in aliases)]
        if not all(calls):
            raise ValueError("a bot's name and its aliases must not be blank")
        words = _any_of(call for call in calls if _is_word(call))
        signs = _any_of(call for call in calls if not _is_word(call))
        self._pattern = re.compile(
            rf"\s*(?:@?(?:{words})[:,]?(?!\S)|(?P<sign>{signs}))\s*", re.IGNORECASE
        )

    def read(self, text: str, *, private: bool = False, me: str = "") -> Address | None:
        """Return what `text` tells the bot to do, or nothing if it is not meant for it; `me` is the bot's own id there."""
        found = self._pattern.match(text)
        if found is None and me and (mention := _match_mention(me, text)):
            prefix = "" if private else f"{self.name} "
            return Address(text[mention.end() :].strip(), prefix, called=True)
        if found is None:
            return Address(text.strip(), "", called=True) if private else None
        sign = found["sign"]
        prefix = "" if private else sign or f"{self.name} "
        return Address(text[found.end() :].strip(), prefix, called=private or not sign)


@lru_cache(maxsize=64)
def _compile_mention(me: str) -> re.Pattern[str]:
    own = re.escape(me)
    return re.compile(rf"\s*(?:<@!?{own}(?:\|[^>\s]*)?>[:,]?|@?{own}[:,]?(?!\S))\s*", re.IGNORECASE)


def _match_mention(me: str, text: str) -> re.Match[str] | None:
    """Return the bot's own id at the start of `text`, as chat services write it."""
    return _compile_mention(me).match(text)


def _is_word(call: str) -> bool:
    return call[-1].isalnum() or call[-1] == "_"


def _any_of(calls: Iterable[str]) -> str:
    longest_first = sorted(calls, key=len, reverse=True)
    return "|".join(map(re.escape, longest_first)) or _NEVER
