"""English sentences that remember what they were made of."""

from __future__ import annotations

import msgspec
import pytest

from hachat.core.phrases import Phrase, find_phrase, gettext_noop, join_phrases, write_plain


def test_a_phrase_is_the_text_that_it_reads() -> None:
    """And knows its sentence and its values."""
    phrase = Phrase("{count} wait in {room}", count=3, room="irc/#ops")

    assert phrase == "3 wait in irc/#ops"
    assert (phrase.sentence, phrase.values) == (
        "{count} wait in {room}",
        {"count": 3, "room": "irc/#ops"},
    )
    assert type(str(phrase)) is str


def test_a_value_is_not_read_as_a_sentence() -> None:
    """Braces that somebody has said stay as they are."""
    assert Phrase("no {name}", name="{name.__class__}") == "no {name.__class__}"


def test_an_error_is_asked_for_its_phrase() -> None:
    """Or for what it says, if it was made of none."""
    found = find_phrase(ValueError(Phrase("no {name}", name="web")))

    assert isinstance(found, Phrase)
    assert found.sentence == "no {name}"
    assert find_phrase(ValueError("no web")) == "no web"
    assert find_phrase(ValueError()) == ""


@pytest.mark.parametrize(
    ("phrases", "joined"),
    [([], ""), (["a"], "a"), (["a", "b"], "a; b"), (["{x}", "b", "c"], "{x}; b; c")],
)
def test_phrases_are_joined(phrases: list[str], joined: str) -> None:
    """As plain texts are, and what is between them may be told."""
    assert join_phrases(phrases) == joined
    assert join_phrases(phrases, " ") == joined.replace("; ", " ")


def test_a_phrase_is_written_as_plain_text() -> None:
    """Nothing else that cannot be written is."""
    told = {"full": [Phrase("{count} wait", count=3)]}

    assert msgspec.json.encode(told, enc_hook=write_plain) == b'{"full":["3 wait"]}'
    with pytest.raises(TypeError, match="object cannot be written"):
        msgspec.json.encode([object()], enc_hook=write_plain)


def test_a_sentence_that_is_only_marked_stays_as_it_stands() -> None:
    """It is translated later."""
    assert gettext_noop("no {name}") == "no {name}"
