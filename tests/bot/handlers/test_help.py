"""What can the bot do?"""

from __future__ import annotations

import pytest

from hachat.bot.handlers.help import Help
from hachat.bot.handlers.ping import Ping
from hachat.bot.testing import Stage

HELP = "help [QUERY] - list the commands you may run, or those that mention QUERY"
PING = "ping - see whether I am there"


@pytest.mark.parametrize(
    ("text", "private", "said"),
    [
        ("hachat help", False, f"hachat {HELP}\nhachat {PING}"),
        ("help", True, f"{HELP}\n{PING}"),
        ("!help", False, f"!{HELP}\n!{PING}"),
        ("hachat help PING", False, f"hachat {PING}"),
        ("hachat help there", False, f"hachat {PING}"),
        ("hachat help xyz", False, "No command mentions xyz."),
    ],
)
async def test_help(text: str, private: bool, said: str) -> None:  # noqa: FBT001 - a table
    """Each command is one line, as it is to be written in that place, sorted and filtered."""
    assert await Stage(Ping(), Help(), aliases=["!"]).say(text, private=private) == [said]
