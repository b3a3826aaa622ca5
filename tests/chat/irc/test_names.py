"""Whom and what names mean."""

from __future__ import annotations

from ircstates.server import Server
from irctokens.line import tokenise

from hachat.chat.irc.names import choose_channels, find_nick, find_recipient


def know(*lines: str) -> Server:
    """Return what a server tells with these lines, to hachat in #ops."""
    server = Server("irc")
    for line in (":irc 001 hachat :Welcome", ":hachat!~h@host JOIN #ops", *lines):
        server.parse_tokens(tokenise(line))
    return server


def test_somebody_alone_is_reached_by_the_id_that_was_heard() -> None:
    """Unless the nick has become somebody else's; of whom nothing is known, the nick is all there is."""
    server = know(":Ada!~ada@host JOIN #ops")

    assert find_recipient(server, "ada!~ada@host") == "ada"
    assert find_recipient(server, "ada!~eve@elsewhere") == ""
    assert find_recipient(server, "bob!~bob@host") == "bob"


def test_an_account_is_reached_under_its_nick() -> None:
    """Where somebody was heard of who is logged in to it."""
    server = know(":Ada!~ada@host JOIN #ops")
    server.users["ada"].account = "countess"

    assert find_nick(server, "countess") == find_recipient(server, "countess") == "Ada"
    assert find_recipient(server, "nobody") == ""


def test_channels_that_were_joined_or_left() -> None:
    """They come on top of the usual ones, whose keys are kept unless there is another."""
    usual = ("#ops", "#keyed key", "#other old", "#Left")
    rooms = {"#KEYED": "", "#other": "new", "#left": None, "#lab": "", "#gone": None}

    chosen = choose_channels(usual, rooms, str.lower)

    assert list(chosen) == ["#ops", "#keyed key", "#other new", "#lab"]
    assert list(choose_channels(usual, {}, str.lower)) == list(usual)
