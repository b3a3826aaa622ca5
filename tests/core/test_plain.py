"""What is shown of text that others wrote."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.plain import show, show_bytes, show_json, show_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain täxt 🎉", "plain täxt 🎉"),
        ("\x1b]0;gotcha\x07", r"\x1b]0;gotcha\x07"),
        ("one\r\ntwo\t", r"one\r\ntwo\t"),
        ("\x9b2J\x7f", r"\x9b2J\x7f"),
        ("abc\u202edef\u2066\u2028", r"abc\u202edef\u2066\u2028"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_would_steer_a_terminal_is_escaped(text: str, shown: str) -> None:
    """Control characters, both kinds of escape sequences, turned writing and lone surrogates are written out."""
    assert show(text) == shown


def test_lines_stay_lines() -> None:
    """And tabs tabs, of whatever else there is."""
    assert show_lines("a\tb\nc\x1b[2J\x07\r\u202e") == "a\tb\nc\\x1b[2J\\x07\\r\\u202e"


def test_bytes_that_are_no_text_are_shown() -> None:
    """Rubbish is shown byte by byte, and what is text beside it as text."""
    assert show_bytes(b"a\xff\x1b\xc2\x9b") == r"a\xff\x1b\x9b"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_stays_the_same_value(text: str) -> None:
    """Escaping changes how JSON is written, never what it says, and leaves only its own line breaks."""
    shown = show_json({"text": text})

    assert json.loads(shown) == {"text": text}
    assert show(shown.replace("\n", "")) == shown.replace("\n", "")
