"""What a handler may remember: keys that can be printed, and values of limited size."""

from __future__ import annotations

MAX_KEY = 200
"""Characters of a key."""

MAX_VALUE = 256 << 10
"""Bytes of a value, as JSON."""


def is_key(key: object) -> bool:
    """Tell whether something can be remembered under `key`."""
    return isinstance(key, str) and 0 < len(key) <= MAX_KEY and key.isprintable()
