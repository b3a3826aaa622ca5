"""Cutting, cleaning and reading lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.chat.irc.wire import (
    alternate_nick,
    format_line,
    is_target,
    join_lines,
    read_line,
    read_text,
    spare_nick,
    split_text,
    text_limit,
)


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (("NICK", "ada"), b"NICK ada\r\n"),
        (("PRIVMSG", "#ops", "two words"), b"PRIVMSG #ops :two words\r\n"),
        (("PRIVMSG", "#ops", ":)"), b"PRIVMSG #ops ::)\r\n"),
        (("PRIVMSG", "#ops", "a\r\nQUIT\0"), b"PRIVMSG #ops :a QUIT \r\n"),
        (("PRIVMSG", "#ops", "\ud800"), b"PRIVMSG #ops ?\r\n"),
    ],
)
def test_formatting(parameters: tuple[str, ...], line: bytes) -> None:
    """A line is one line, whatever its parameters hold."""
    assert format_line(*parameters) == line


def test_formatting_refuses_to_shift_parameters() -> None:
    """A blank in the middle would make another command of it."""
    with pytest.raises(ValueError, match="spaces"):
        format_line("PRIVMSG", "#ops #all", "text")


@given(st.text(), st.text())
def test_formatting_never_makes_two_lines(command: str, text: str) -> None:
    """No text can smuggle a second line in."""
    line = format_line("PRIVMSG", "#ops", command + "\r\n" + text)

    assert line.count(b"\n") == line.count(b"\r") == 1
    assert b"\0" not in line


@pytest.mark.parametrize("name", ["#ops", "ada", "[x]", "&local", "#münchen"])
def test_targets(name: str) -> None:
    """Channels and nicks may be written to."""
    assert is_target(name)


@pytest.mark.parametrize("name", ["", ":ops", "#a,#b", "#a #b", "#a\r\nQUIT", "a\0", "\t"])
def test_no_targets(name: str) -> None:
    """What would reach others than one channel or nick may not be written to."""
    assert not is_target(name)


def test_text_limit_leaves_room_for_the_prefix() -> None:
    """A line fits into 512 bytes even when the server has put the longest usual prefix before it."""
    prefix = b":" + b"n" * 16 + b"!~" + b"u" * 10 + b"@" + b"h" * 63 + b" "
    for target in ("#ops", "#" + "x" * 199):
        line = format_line("PRIVMSG", target, "x" * text_limit(target))
        assert len(prefix + line) <= 512

    assert text_limit("#ops") == 396


def test_splitting() -> None:
    """Text is cut at its own lines first, then between words, and blank lines are left out."""
    text = "one\r\n\n  two \x00\rthree four five\n" + "x" * 12 + "\n   "

    assert split_text(text, 10) == ["one", "  two", "three four", "five", "x" * 10, "xx"]


def test_splitting_long_words_and_wide_characters() -> None:
    """A word that is too long is cut between characters, never inside one."""
    assert split_text("äöü€", 4) == ["äö", "ü", "€"]
    assert split_text("a " + "b" * 6, 5) == ["a", "bbbbb", "b"]
    assert split_text("日本語", 4, "shift_jis") == ["日本", "語"]


@given(st.text(), st.integers(4, 60))
def test_splitting_loses_nothing(text: str, limit: int) -> None:
    """Every piece fits, none is empty, and together they say what the text said."""
    pieces = split_text(text, limit)

    assert all(0 < len(piece.encode("utf-8", "replace")) <= limit for piece in pieces)
    said = "".join("".join(pieces).split())
    assert said == "".join(text.replace("\0", "").split())


@given(st.binary())
def test_reading_never_fails(data: bytes) -> None:
    """Any bytes are a line or are not."""
    read_line(data, "utf-8")


def test_reading_falls_back_to_latin_1() -> None:
    """A person whose client does not write UTF-8 is understood all the same."""
    line = read_line("PRIVMSG #ops :grüße".encode("latin-1"), "utf-8")

    assert line is not None
    assert line.params == ["#ops", "grüße"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (" ping ", "ping"),
        ("\x02bold\x02 \x0304,01red\x03 \x1funder\x0f", "bold red under"),
        ("\x0312 apples", "apples"),
        ("\x01ACTION waves\x01", "* ada waves"),
        ("\x01ACTION waves", "* ada waves"),
        ("\x01VERSION\x01", ""),
        ("\x01PING 12\x01", ""),
    ],
)
def test_reading_text(text: str, read: str) -> None:
    """A person's words are read without colours; actions are told as such and other CTCP is not for us."""
    assert read_text(text, "ada") == read


def test_joining() -> None:
    """Channels are joined five a line, those with a key first, because keys go by position."""
    lines = list(join_lines(["#a", "#b key", "#c", "#d", "#e", "#f"]))

    assert lines == [b"JOIN #b,#a,#c,#d,#e key\r\n", b"JOIN #f\r\n"]
    assert list(join_lines([])) == []


def test_spare_nicks() -> None:
    """They fit into nine characters, differ, and are no alternates, which are asked for in other cases."""
    assert [spare_nick("hachat", turn) for turn in (1, 2)] == ["hachat-1", "hachat-2"]
    assert [spare_nick("operations", turn) for turn in (1, 10)] == ["operati-1", "operat-10"]
    assert alternate_nick("operations", 0) == "operations"


def test_alternate_nicks() -> None:
    """Alternates fit into nine characters and differ."""
    assert [alternate_nick("hachat", turn) for turn in (1, 2, 3)] == [
        "hachat_",
        "hachat__",
        "hachat___",
    ]
    assert [alternate_nick("operations", turn) for turn in (1, 2)] == ["operatio_", "operati__"]
