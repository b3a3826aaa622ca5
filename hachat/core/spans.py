"""Spans of time as people write them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


def parse_span(text: str) -> float:
    """Return the seconds of a span such as `90`, `30s`, `15m`, `2h`, `3d`.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([a-z]*)", text)
    if not found or found[2] not in _UNITS:
        raise ValueError(f"{text!r} is no span of time such as 30s, 15m, 2h or 3d")
    return float(found[1]) * _UNITS[found[2]]
