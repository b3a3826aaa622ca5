"""A span of time that somebody has asked for."""

from __future__ import annotations

from typing import Self

from hachat.core.slots import parse_duration


class Duration(float):
    """Seconds, as a number; made from `90`, `"30s"`, `"5m"`, `"1h 30m"` or `"2d"`.

    Raises:
        ValueError: it is not one.
    """

    __slots__ = ()

    def __new__(cls, text: str | float) -> Self:
        """Return the seconds that `text` stands for."""
        return super().__new__(cls, parse_duration(text))
