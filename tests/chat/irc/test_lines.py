"""Which lines a reply becomes."""

from __future__ import annotations

import pytest

from hachat.chat.irc.lines import check_channel, format_reply, format_topic
from hachat.chat.irc.session import Session
from hachat.chat.irc.settings import IrcSettings
from hachat.chat.irc.wire import text_limit
from hachat.core.errors import Undeliverable
from hachat.core.messages import Operation, Reply


@pytest.fixture
def session() -> Session:
    """A session that has heard nothing."""
    return Session(IrcSettings(host="127.0.0.1"), "hachat")


def make(room: str, text: str = "text", op: Operation = "say") -> Reply:
    """Return a reply in `room`."""
    return Reply("m/r/1", f"irc/{room}", text, op)


@pytest.mark.parametrize("room", ["#a,#b", "", "#" + "x" * 400, "@account"])
def test_no_room_of_irc(session: Session, room: str) -> None:
    """A room that cannot be one target is refused for ever, as is somebody of whom nobody has heard."""
    with pytest.raises(Undeliverable):
        format_reply(make(room), session, "utf-8")


@pytest.mark.parametrize("room", ["ada", "#a,#b", "", "0"])
def test_no_channel(session: Session, room: str) -> None:
    """What is no channel has no topic, and is not joined."""
    with pytest.raises(Undeliverable, match="not a channel"):
        format_topic(make(room), session, "utf-8")
    with pytest.raises(Undeliverable, match="not a channel"):
        check_channel(make(room), session)


def test_actions_fit_into_lines(session: Session) -> None:
    """Each is framed, and none is longer than a line of the same text may be."""
    acted = format_reply(make("#ops", "x" * 1000, "act"), session, "utf-8")

    assert max(map(len, acted)) == len(b"PRIVMSG #ops :\r\n") + text_limit("#ops")
    assert all(b"\x01ACTION x" in line and line.endswith(b"x\x01\r\n") for line in acted)
    assert sum(line.count(b"x") for line in acted) == 1000


def test_somebody_alone(session: Session) -> None:
    """Whom nothing speaks against is reached under the nick that the id has."""
    assert format_reply(make("@ada!~ada@host"), session, "utf-8") == [b"PRIVMSG ada text\r\n"]


def test_topics_are_one_line(session: Session) -> None:
    """The first one; an empty text takes the topic away."""
    assert format_topic(make("#Ops", "a b\nc"), session, "utf-8") == b"TOPIC #Ops :a b\r\n"
    assert format_topic(make("#ops", ""), session, "utf-8") == b"TOPIC #ops :\r\n"
    assert check_channel(make("#Ops"), session) == "#ops"
