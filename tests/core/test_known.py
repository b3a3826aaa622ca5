"""How people call users and rooms, and who is meant."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.errors import Ambiguous, FindError, NotFound
from hachat.core.known import SHOWN, Known, choose, fold, read_id, read_name

ADA = Known("irc", "U1", "Ada")
ADAM = Known("irc", "U2", "Adam")


@pytest.mark.parametrize(
    ("text", "id_", "name"),
    [
        ("U1", "U1", "u1"),
        (" U1 ", "U1", "u1"),
        ("irc/U1", "U1", "u1"),
        ("<@U1>", "U1", "u1"),
        ("<@U1|ada>", "U1", "u1"),
        ("<#C1|ops>", "C1", "c1"),
        ("@Ada", "@Ada", "ada"),
        ("#ops", "#ops", "#ops"),
        ("", "", ""),
    ],
)
def test_what_people_write(text: str, id_: str, name: str) -> None:
    """An id may stand alone, in an address or in a mention; a name may have its sign."""
    assert (read_id("irc", text), read_name("irc", text)) == (id_, name)


def test_names_are_compared_without_case_and_width() -> None:
    """What looks alike to people is found."""
    assert fold("STRASSE ") == fold("straße")
    assert fold("\uff21\uff44\uff41") == "ada"


def test_a_channel_has_its_name_without_the_sign_too() -> None:
    """Nobody has to write the sign; who has no name is called by the id."""
    assert Known("irc", "C1", "#Ops").names == ["#ops", "ops"]
    assert Known("irc", "#lab").names == ["#lab", "lab"]
    assert Known("irc", "U1", "Ada").names == ["ada"]


def test_the_whole_name_is_meant_before_a_beginning() -> None:
    """Ada can be found although Adam is there."""
    assert choose("user", "ada", [ADA, ADAM], "ada") == ADA
    assert choose("user", "adam", [ADAM], "adam") == ADAM


def test_a_beginning_is_enough_if_only_one_has_it() -> None:
    """Nobody has to write long names."""
    assert choose("user", "ad", [ADAM], "ad") == ADAM
    with pytest.raises(Ambiguous, match=r"ad may be Ada \(U1\), Adam \(U2\); say which"):
        choose("user", "ad", [ADA, ADAM], "ad")


def test_two_of_one_name_are_told_apart_by_their_ids() -> None:
    """Whoever wrote the name sees the ids."""
    with pytest.raises(Ambiguous) as caught:
        choose("user", "Ada", [ADA, Known("irc", "U3", "ADA"), ADAM], "ada")
    assert caught.value.candidates == ("Ada (U1)", "ADA (U3)")


def test_of_many_some_are_named() -> None:
    """A long list is cut."""
    many = [Known("irc", f"U{number}", f"ada{number}") for number in range(SHOWN + 1)]
    with pytest.raises(Ambiguous, match=r"ada4 \(U4\), and more; say which"):
        choose("user", "ada", many, "ada")


def test_nobody_is_found() -> None:
    """The sentence says what was looked for."""
    with pytest.raises(NotFound, match="I know no room called nowhere"):
        choose("room", "nowhere", [], "nowhere")


@given(st.text(), st.lists(st.builds(Known, st.just("irc"), st.text(), st.text()), max_size=4))
def test_any_text_finds_one_or_says_why_not(text: str, found: list[Known]) -> None:
    """Whatever somebody writes, one of those that were found is meant, or none."""
    with suppress(FindError):
        assert choose("user", text, found, read_name("irc", text)) in found
