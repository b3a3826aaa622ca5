"""What people do, line by line."""

from __future__ import annotations

import pytest
from irctokens.line import tokenise

from hachat.chat.irc.happenings import Happening, read_happening


@pytest.mark.parametrize(
    ("line", "happening"),
    [
        ("JOIN #ops", Happening("joined", "#ops", {})),
        ("PART #ops", Happening("parted", "#ops", {})),
        ("PART #ops :tea", Happening("parted", "#ops", {"reason": "tea"})),
        ("QUIT", Happening("quit", "", {})),
        ("QUIT :bye", Happening("quit", "", {"reason": "bye"})),
        ("NICK eve", Happening("nick", "", {"nick": "eve"})),
        ("TOPIC #ops :peace", Happening("topic", "#ops", {"topic": "peace"})),
        ("TOPIC #ops :", Happening("topic", "#ops", {"topic": ""})),
        ("KICK #ops bob", Happening("kicked", "#ops", {"nick": "bob"})),
        ("KICK #ops bob :out", Happening("kicked", "#ops", {"nick": "bob", "reason": "out"})),
        ("TOPIC #ops", None),
        ("KICK #ops", None),
        ("JOIN", None),
        ("JOIN #ops account :Ada", Happening("joined", "#ops", {})),
        ("PRIVMSG #ops :hello", None),
        ("MODE #ops +o ada", None),
    ],
)
def test_lines(line: str, happening: Happening | None) -> None:
    """Only what may interest a handler is told, with what the line says."""
    assert read_happening(tokenise(f":ada!~ada@host {line}")) == happening
