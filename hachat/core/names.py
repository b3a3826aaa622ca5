"""The names of events."""

from __future__ import annotations

MAX_NAME = 100
"""Characters of an event's name."""


def normalise(name: str) -> str:
    """Return an event's name as it is compared: in lower case, its words apart by single blanks.

    Raises:
        ValueError: it is blank, or too long.
    """
    words = " ".join(name.replace("_", " ").casefold().split())
    if not 1 <= len(words) <= MAX_NAME:
        raise ValueError(f"{name!r} is no name of an event; write 1 to {MAX_NAME} characters")
    return words
