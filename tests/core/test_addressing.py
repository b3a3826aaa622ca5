"""Who is meant by a text."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hachat.core.addressing import Address, Addressing

BOT = Addressing("hachat", ["!", "hal", "h?"])


@pytest.mark.parametrize(
    "text",
    [
        "hachat ping",
        "HaChat ping",
        "@hachat ping",
        "hachat: ping",
        "@HACHAT, ping",
        "  hachat \t ping  ",
        "hachat\nping",
        "hal ping",
        "@hal: ping",
    ],
)
def test_by_name(text: str) -> None:
    """A name or a word alias at the very start calls the bot, in any case, with or without `@`, `:` and `,`."""
    assert BOT.read(text) == Address("ping", "hachat ", called=True)


@pytest.mark.parametrize("text", ["!ping", "! ping", " !ping "])
def test_by_sign(text: str) -> None:
    """A sign needs no blank behind it, and does not say that nobody else was meant."""
    assert BOT.read(text) == Address("ping", "!", called=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ping",
        "hachatter ping",
        "so hachat ping",
        "hachat-ping",
        "hachat:8080",
        "x\nhachat ping",
        "@ hachat ping",
    ],
)
def test_not_addressed(text: str) -> None:
    """A longer word, a later line or a later place is not an address."""
    assert BOT.read(text) is None


@pytest.mark.parametrize("text", ["ping", " ping ", "hachat ping", "@hachat: ping", "!ping"])
def test_private(text: str) -> None:
    """In private everything is for the bot, and nothing need be written before it."""
    assert BOT.read(text, private=True) == Address("ping", "", called=True)


def test_name_alone() -> None:
    """The name alone is an address with nothing to do."""
    assert BOT.read("hachat:") == Address("", "hachat ", called=True)


def test_rest_is_kept() -> None:
    """The lines and blanks inside a command are left as they are."""
    address = BOT.read("hachat note a  b\n hachat c\n")
    assert address is not None
    assert address.command == "note a  b\n hachat c"


def test_longest_alias_wins() -> None:
    """An alias that begins another does not hide it."""
    address = Addressing("bot", ["!", "!!"]).read("!!ping")
    assert address is not None
    assert (address.command, address.prefix) == ("ping", "!!")


@pytest.mark.parametrize(("name", "aliases"), [("", []), (" ", []), ("bot", [""])])
def test_blank_names_are_refused(name: str, aliases: list[str]) -> None:
    """A blank name would make everything a command."""
    with pytest.raises(ValueError, match="blank"):
        Addressing(name, aliases)


@given(st.text(), st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1), st.booleans())
@example(text="(", name="(", private=False)
@example(text="İ", name="i̇", private=True)
def test_any_text_and_any_name(text: str, name: str, private: bool) -> None:  # noqa: FBT001 - drawn
    """No text and no name breaks it; what comes out is part of what went in."""
    if not name.strip():
        return
    address = Addressing(name, ["!"]).read(text, private=private)
    assert address is not None or not private
    if address is not None:
        assert address.command in text
        assert address.command == address.command.strip()


@given(st.text(max_size=40).map(str.strip))
def test_address_is_taken_off_whole(command: str) -> None:
    """Whatever follows the address is the command."""
    address = BOT.read(f"hachat {command}")
    assert address is not None
    assert address.command == command


@pytest.mark.parametrize(
    "text", [" " * 65_536, "hachat" * 10_000, "@" * 65_536, " @hachat," * 7_000]
)
def test_linear_time(text: str) -> None:
    """A long text takes no longer than its length."""
    start = time.perf_counter()
    BOT.read(text)
    assert time.perf_counter() - start < 0.05


@pytest.mark.parametrize(
    "text",
    [
        "<@U123> ping",
        "<@u123>: ping",
        "<@!U123>ping",
        "<@U123|hachat> ping",
        "@U123, ping",
        "U123: ping",
    ],
)
def test_by_its_own_id(text: str) -> None:
    """A mention by the id that a chat service knows the bot by calls it, in the forms in which services write it."""
    assert BOT.read(text, me="U123") == Address("ping", "hachat ", called=True)
    assert BOT.read(text) is None


@pytest.mark.parametrize("text", ["<@U1234> ping", "U123x ping", "x <@U123> ping", "<@U123 ping"])
def test_by_another_id(text: str) -> None:
    """Somebody else's id, or one further on, is no address."""
    assert BOT.read(text, me="U123") is None


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_and_any_id(text: str, me: str) -> None:
    """No text and no id breaks it."""
    address = BOT.read(text, me=me)

    assert address is None or address.command in text
