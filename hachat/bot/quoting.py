"""Saying back what somebody said."""

from __future__ import annotations

import shlex

QUOTED = 40
"""Characters of what somebody said that are said back to them."""


def shorten(said: str) -> str:
    """Return what somebody said as a short quotation on one line."""
    line = " ".join(said[: QUOTED * 2].split())
    return f'"{line}"' if len(line) <= QUOTED else f'"{line[: QUOTED - 1]}…"'


def split_arguments(text: str) -> tuple[str, ...]:
    """Return the words after the first, split as a shell does; quotes that do not close are plain characters."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return tuple(words[1:])
