"""Spans of time that are numbers."""

from __future__ import annotations

import pytest

from hachat.core.durations import Duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("5m", 300), ("1h 30m", 5400), (2.5, 2.5)]
)
def test_it_is_made_of_what_people_write(text: str | float, seconds: float) -> None:
    """And counts as the seconds that it is."""
    assert Duration(text) == seconds
    assert Duration(text) + 1 == seconds + 1


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5 parsecs"])
def test_what_is_none_is_refused(text: str) -> None:
    """The error says what was said."""
    with pytest.raises(ValueError, match="is no duration; write seconds"):
        Duration(text)
