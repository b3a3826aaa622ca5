"""What somebody said, said back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.bot.quoting import QUOTED, shorten, split_arguments


@pytest.mark.parametrize(
    ("said", "quoted"),
    [("ping", '"ping"'), ("  two\n lines ", '"two lines"'), ("x" * 41, f'"{"x" * 39}…"')],
)
def test_it_is_short_and_on_one_line(said: str, quoted: str) -> None:
    """What is left out is marked."""
    assert shorten(said) == quoted


@given(st.text(max_size=300))
def test_whatever_was_said(said: str) -> None:
    """Nothing breaks it."""
    assert len(shorten(said)) <= QUOTED + 2
    assert "\n" not in shorten(said)
    split_arguments(said)


@pytest.mark.parametrize(
    ("text", "words"),
    [("say a 'b c'", ("a", "b c")), ("say it's fine", ("it's", "fine")), ("say", ()), ("", ())],
)
def test_words_are_split_as_in_a_shell(text: str, words: tuple[str, ...]) -> None:
    """Quotes that do not close are plain characters."""
    assert split_arguments(text) == words
