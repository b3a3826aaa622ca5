"""What can the bot do?"""

from __future__ import annotations

import pytest

from hachat import Context, Handler, command
from hachat.bot.handlers.help import LONG, Help
from hachat.bot.handlers.ping import Ping
from hachat.testing import Driver, handlers
from tests.bot.stage import Stage

HELP = (
    "help [QUERY] - list the commands you may run, those of a handler, or those that mention QUERY"
)
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


class Cellar(Handler):
    """Is in one room only."""

    @command("light", rooms=["test/#cellar"])
    async def light(self, ctx: Context) -> None:
        """light -- make some"""


async def test_what_is_not_there_is_not_listed() -> None:
    """A command that is for some rooms is listed in those."""
    stage = Stage(Help(), Cellar())

    assert "light" not in (await stage.say("hachat help"))[0]
    assert "hachat light - make some" in (await stage.say("hachat help", room="test/#cellar"))[0]


class Doors(Handler):
    """Opens doors.

    This is for whoever reads the code.
    """

    @command("open")
    @command(r"open\s+(?P<door>\S+)")
    async def open(self, ctx: Context, door: str = "") -> None:
        """open [DOOR] -- open a door, as a ping opens a connection"""

    @command("vault", groups={"ops"})
    async def vault(self, ctx: Context) -> None:
        """vault -- open the vault"""


class Vault(Handler):
    """Keeps money."""

    @command("count", groups={"ops"})
    async def count(self, ctx: Context) -> None:
        """count -- count it"""


def make_crowd() -> Handler:
    """Return a handler with more commands than are good for a room."""

    async def run(self: Handler, ctx: Context) -> None:
        """Do something."""

    for number in range(LONG + 1):
        command(f"crowd{number:02}", help=f"crowd{number:02} -- do {number}")(run)
    cls: type[Handler] = type("Crowd", (Handler,), {"run": run, "__doc__": "Does a lot."})
    return cls()


CROWD = [f"hachat crowd{number:02} - do {number}" for number in range(LONG + 1)]
TOPICS = [
    "crowd - Does a lot",
    "doors - Opens doors",
    "help - Lists commands as they are to be written",
    "ping - Answers, so that people see that somebody does",
]

in_company = handlers(Help, Ping, Doors, Vault, make_crowd(), groups={"ops": ["olga"]})


@in_company
async def test_the_commands_of_a_handler(bot: Driver) -> None:
    """Its name comes before what commands mention, and what one may not run is not shown."""
    usage = "hachat open [DOOR] - open a door, as a ping opens a connection"

    assert await bot.say("hachat help Doors") == [usage]
    assert await bot.as_user("olga").say("hachat help doors") == [
        f"{usage}\nhachat vault - open the vault"
    ]
    assert await bot.say("hachat help ping") == [f"hachat {PING}"]
    assert await bot.say("hachat help open") == [usage]
    assert await bot.say("hachat help vault") == ["No command mentions vault."]


@in_company
async def test_many_commands_are_shown_by_their_handlers(bot: Driver) -> None:
    """With what each is for, but none of which one may run nothing."""
    how = "Write hachat help and one of these for its commands."

    assert await bot.say("hachat help") == ["\n".join([*TOPICS, how])]
    (said,) = await bot.as_user("olga").say("hachat help")
    assert "vault - Keeps money" in said


@in_company
async def test_long_help_is_not_for_a_room(bot: Driver) -> None:
    """It is told in private, and the room that it is; who is alone with the bot is told at once."""
    said = await bot.say("hachat help crowd")

    assert {(one.room, str(one)) for one in said} == {
        ("test/#room", "That is long, so I tell you in private."),
        ("test/@alice", "\n".join(CROWD)),
    }
    (alone,) = await bot.in_private().say("help crowd")
    assert alone == "\n".join(line.removeprefix("hachat ") for line in CROWD)
