"""Spans of time as people write them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.spans import parse_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("30s", 30.0), ("15m", 900.0), ("15 min", 900.0), ("1.5h", 5400.0), ("3d", 259_200.0)],
)  # fmt: skip
def test_a_span_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    """Without a unit it is seconds."""
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1s", "1 week", "1h30m", "1e3", "٣s", "9" * 10, "5s\n"])
def test_what_is_none_is_refused(text: str) -> None:
    """Other units, signs, several parts, digits of other scripts, and more than anybody means."""
    with pytest.raises(ValueError, match="no span of time such as"):
        parse_span(text)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    """It is a span of no negative length, or a ValueError."""
    with suppress(ValueError):
        assert parse_span(text) >= 0
