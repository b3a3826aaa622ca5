"""No text keeps a pattern busy for long, and no pattern means something else than Python says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.bot import patterns
from hachat.bot.patterns import Pattern, TooSlow, is_cheap

CATASTROPHES = [
    (r"(a+)+b", "a" * 4000),
    (r"(a|aa)+c", "a" * 4000),
    (r"(?:.*,){20}P", "," * 2000),
    (r"(?=(a+)+b)a", "a" * 4000),
    (r"(\w+\s*)+:", "aaaa " * 800),
]
PIECES = ["a", "b", " ", "|", "(", ")", "(?:", "[ab]", "[^b]", r"\b", r"\w", "?", "*", "+", "-"]


@pytest.mark.parametrize(("pattern", "text"), CATASTROPHES)
@pytest.mark.parametrize("whole", [True, False])
def test_catastrophes_are_given_up(pattern: str, text: str, *, whole: bool) -> None:
    """What would take longer than the age of the world is given up after its share of processor time, or found out before."""
    try:
        assert Pattern(pattern, whole=whole).find(text) is None
    except TooSlow as error:
        assert repr(pattern) in str(error)  # noqa: PT017 - it need not be raised


def test_a_slow_pattern_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried again for a while, whatever the text, and then it is."""
    now = 100.0
    monkeypatch.setattr(patterns, "monotonic", lambda: now)
    pattern = Pattern(r"(a+)+b", whole=True)
    with pytest.raises(TooSlow, match="takes too long"):
        pattern.find("a" * 4000)
    with pytest.raises(TooSlow, match="rests"):
        pattern.find("ab")
    now += patterns.REST
    assert pattern.find("ab") is not None


@pytest.mark.parametrize(
    ("pattern", "whole", "cheap"),
    [
        ("ping", False, True),
        (r"deploy (?P<app>\S+)", True, True),
        (r"deploy (?P<app>\S+)", False, False),
        (r"(?:ping|pong)", False, True),
        (r"(a+)+", True, False),
        (r"a?a?", True, False),
        (r"(a|a)(a|a)", True, False),
        (r"(?=a)a", True, True),
        (r"(?=a+)a", True, False),
    ],
)
def test_cheap(pattern: str, *, whole: bool, cheap: bool) -> None:
    """Only a pattern with one choice is cheap, and of what may begin anywhere only one that repeats nothing."""
    assert is_cheap(pattern, whole=whole) is cheap


@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join),
    st.text("ab -AB", max_size=8),
    st.booleans(),
)
def test_patterns_mean_what_python_says(text: str, said: str, whole: bool) -> None:  # noqa: FBT001 - given
    """Whichever package matches it, the same is found as `re` finds."""
    try:
        meant = re.compile(text, re.IGNORECASE)
    except re.error:
        with pytest.raises(re.error):
            Pattern(text, whole=whole)
        return
    found = Pattern(text, whole=whole).find(said)
    wanted = meant.fullmatch(said) if whole else meant.search(said)
    assert (found and found.group()) == (wanted and wanted.group())
    assert (found is None) == (wanted is None)


@given(st.text(max_size=300), st.sampled_from(CATASTROPHES))
def test_any_text(text: str, catastrophe: tuple[str, str]) -> None:
    """No text breaks it."""
    pattern = Pattern(catastrophe[0], whole=False)
    try:
        pattern.find(text)
    except TooSlow as error:
        assert "too long" in str(error)  # noqa: PT017 - it need not be raised
