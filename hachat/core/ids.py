"""Identifiers that sort by the time they were made.

ULID, https://github.com/ulid/spec: 48 bits of Unix milliseconds and 80 random bits, written as 26
characters of Crockford's base 32.  Sorting the text sorts by time, and it survives being read aloud.
"""

from __future__ import annotations

LENGTH = 26
"""Characters of an identifier."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DIGITS = frozenset(_ALPHABET)
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_SHIFTS = range(120, -1, -10)


def make_id(wall: float, entropy: int) -> str:
    """Return the ULID of `wall` (Unix seconds) and the low 80 bits of `entropy`."""
    value = (int(wall * 1000) << 80) | (entropy & ((1 << 80) - 1))
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in _SHIFTS])


def read_time(ulid: str) -> float:
    """Return the Unix seconds at which `ulid` was made.

    Raises:
        ValueError: it is not a ULID.
    """
    if len(ulid) != LENGTH or not _DIGITS.issuperset(ulid) or ulid[0] > "7":
        raise ValueError(f"{ulid!r} is not a ULID")
    value = 0
    for character in ulid[:10]:
        value = value << 5 | _ALPHABET.index(character)
    return value / 1000
