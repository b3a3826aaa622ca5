"""What is this bot?"""

from __future__ import annotations

from pathlib import Path

from hachat import Context, Handler, __version__, command
from hachat.bot.handlers.about import About
from hachat.bot.handlers.ping import Ping
from hachat.bot.loading import load
from hachat.testing import Driver, handlers
from tests.bot.stage import Stage

ROOT = Path(__file__).parents[3]


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        """Return its time."""
        return self.now


class Karma(Handler):
    """Counts."""

    @command("karma")
    async def karma(self, ctx: Context) -> None:
        """karma -- count"""


CLOCK = Clock()


@handlers(About(CLOCK), Ping, Karma)
async def test_the_bot_introduces_itself(bot: Driver) -> None:
    """In one message: its version, its node and since when, and whence its handlers are."""
    CLOCK.now = 100.0 + 3 * 3600

    assert await bot.say("hachat about") == [
        (
            f"I am hachat, a bot that stays up: hachat {__version__}, here on node test for 3 h.\n"
            f"handlers: 2 built in, karma ({__name__})\n"
            '"hachat help" lists what you can tell me.'
        )
    ]


async def test_handlers_of_the_folder_are_told_by_their_files() -> None:
    """As people find them, and not by the name that their module has inside."""
    plugins = load([], folder=ROOT / "examples", sections={"github": {"secret": "hush"}})

    (said,) = await Stage(*plugins.handlers.values(), About()).say("hachat about")

    assert "greeter (handlers/greeter.py)" in said
    assert "1 built in" in said
