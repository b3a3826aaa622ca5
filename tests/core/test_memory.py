"""What can be a key of what a handler remembers."""

from __future__ import annotations

import pytest

from hachat.core.memory import MAX_KEY, is_key


@pytest.mark.parametrize("key", ["a", "ä b/c:d", "a" * MAX_KEY])
def test_what_can_be_printed_is_a_key(key: str) -> None:
    """Up to its length, in any language."""
    assert is_key(key)


@pytest.mark.parametrize("key", ["", "a" * (MAX_KEY + 1), "a\nb", "\0", "\ud800", b"a", 7, None])
def test_all_else_is_none(key: object) -> None:
    """Lines, surrogates, and what is no text."""
    assert not is_key(key)
