"""Saying back what somebody said."""

from __future__ import annotations

QUOTED = 40
"""Characters of what somebody said that are said back to them."""


def shorten(said: str) -> str:
    """Return what somebody said as a short quotation on one line."""
    line = " ".join(said[: QUOTED * 2].split())
    return f'"{line}"' if len(line) <= QUOTED else f'"{line[: QUOTED - 1]}…"'
