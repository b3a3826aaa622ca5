"""What markdown looks like in a chat."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.chat.markup import IRC, PLAIN, TERMINAL, Style, render


@pytest.mark.parametrize(
    ("text", "plain", "irc"),
    [
        ("**web** is *live*", "web is live", "\x02web\x02 is \x1dlive\x1d"),
        ("run `make *it*`", "run `make *it*`", "run \x11make *it*\x11"),
        ("~~no~~ yes", "no yes", "\x1eno\x1e yes"),
        ("[build 7](https://ci.example/7)", "build 7 (https://ci.example/7)", None),
        ("<https://ci.example/7>", "https://ci.example/7", None),
        ("see https://ci.example/a_b_c", "see https://ci.example/a_b_c", None),
        ("# Deploys ##", "Deploys", "\x02Deploys\x02"),
        ("- a **b**\n  - c", "- a b\n  - c", "- a \x02b\x02\n  - c"),
        ("> quoted", "> quoted", None),
        ("```python\na * b\n\n```\nend", "a * b\n\nend", "\x11a * b\x11\n\nend"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name", None),
        ("a\n\nb", "a\n\nb", None),
        (r"\*as it stands\*", "*as it stands*", None),
        ("![cat](https://cat.example/1.png)", "cat (https://cat.example/1.png)", None),
        ("<b>no html</b>", "<b>no html</b>", None),
        ("**never closed", "**never closed", None),
    ],
)
def test_spans(text: str, plain: str, irc: str | None) -> None:
    """Emphasis where a service shows it, and words everywhere."""
    assert render(text, PLAIN) == plain
    assert render(text, IRC) == (plain if irc is None else irc)


def test_a_terminal_shows_it_too() -> None:
    """Each attribute is taken back."""
    assert render("**a** b", TERMINAL) == "\x1b[1ma\x1b[22m b"


@given(st.text(), st.sampled_from([PLAIN, IRC, TERMINAL]))
def test_no_text_breaks_it(text: str, style: Style) -> None:
    """Whatever is said comes out as text."""
    assert isinstance(render(text, style), str)


@given(st.text(alphabet=st.characters(categories=["L", "N"], include_characters=" .,:\n")))
def test_what_is_no_markdown_reads_as_it_was_written(text: str) -> None:
    """Words, numbers and their punctuation are left alone."""
    assert render(text, PLAIN).split() == text.split()
