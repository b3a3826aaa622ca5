"""Regular expressions of authors, which no text can keep busy for long.

Python's `re` cannot be interrupted, and some patterns need longer than the age of the world for a short text: `(a+)+b`.  The
package `regex` reads the same syntax and gives up in time; `re` is kept for patterns that are cheap whatever the text is,
because it is quicker.  Decision 13 tells why.
"""

from __future__ import annotations

import re
from time import monotonic
from typing import Any, Protocol

import regex

from hachat.core.phrases import Phrase

LIMIT = 0.05
"""Seconds of processor time a pattern may take for one text."""

REST = 10.0
"""Seconds for which a pattern that took longer is not tried, so that a flood of such texts costs next to nothing."""

_CHOICE = re.compile(r"[*+?{|]")
_PLAIN_GROUP = re.compile(r"\(\?(?:P<\w+>|:)")


class TooSlow(Exception):
    """A pattern was given up, or rests because it was; says which."""


class Found(Protocol):
    """What a pattern has found: a match of `re`, or of `regex`, which is used alike."""

    @property
    def string(self) -> str:
        """What was searched."""
        ...

    def __getitem__(self, group: str | int, /) -> Any:
        """Return the text of a group, None if it took no part."""
        ...

    def group(self, *groups: str | int) -> Any:
        """Return the text of one group or of several; without any, all that was found."""
        ...

    def groups(self) -> tuple[Any, ...]:
        """Return the texts of all groups."""
        ...

    def groupdict(self) -> dict[str, Any]:
        """Return the texts of the groups that have names."""
        ...

    def start(self, group: str | int = 0, /) -> int:
        """Return where a group begins."""
        ...

    def end(self, group: str | int = 0, /) -> int:
        """Return where a group ends."""
        ...


class Pattern:
    """A regular expression in Python's syntax, in any case: of a whole text, or of something in it.

    `text` is how it is written, `names` are its named groups.

    Raises:
        re.error, OverflowError, RecursionError: it is none.
    """

    def __init__(self, text: str, *, whole: bool) -> None:
        self.text = text
        self.names = tuple(re.compile(text, re.IGNORECASE).groupindex)
        cheap = is_cheap(text, whole=whole)
        try:
            compiled: Any = (re if cheap else regex).compile(text, re.IGNORECASE)
        except regex.error as error:
            raise re.error(str(error), text) from error
        self._limits = {} if cheap else {"timeout": LIMIT}
        self._find = compiled.fullmatch if whole else compiled.search
        self._rests_until = 0.0

    def find(self, text: str) -> Found | None:
        """Return what is found of it in `text`, or nothing.

        Raises:
            TooSlow: that would take too long.
        """
        if self._rests_until and monotonic() < self._rests_until:
            raise TooSlow(Phrase("{pattern!r} rests, because it took too long", pattern=self.text))
        try:
            found: Found | None = self._find(text, **self._limits)
        except TimeoutError:
            self._rests_until = monotonic() + REST
            raise TooSlow(
                Phrase(
                    "{pattern!r} takes too long, and rests for {seconds:g} s",
                    pattern=self.text,
                    seconds=REST,
                )
            ) from None
        return found


def is_cheap(text: str, *, whole: bool) -> bool:
    """Tell whether `re` needs no longer than about the length of a text, whatever it is.

    A pattern that leaves one choice (how often, or which of two) matches a whole text in as many ways as the text has
    characters, at most.  What may begin anywhere must not repeat anything either.
    """
    choices = _CHOICE.findall(_PLAIN_GROUP.sub("(", text))
    return len(choices) <= 1 and (whole or not set(choices) & set("*+{"))
