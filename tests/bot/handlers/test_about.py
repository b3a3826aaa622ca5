"""What the bot tells of itself."""

from __future__ import annotations

import itertools

from hachat import __version__
from hachat.bot.handlers.about import About
from hachat.testing import Driver, handlers

_minutes = itertools.count(0, 60)


@handlers(About(lambda: next(_minutes)))
async def test_about(bot: Driver) -> None:
    """Its name, what it runs, and for how long."""
    (said,) = await bot.say("hachat about")
    assert said.startswith(f"I am hachat, a bot that stays up: hachat {__version__}, here on node ")
    assert said.endswith(' for 60 s. "hachat help" lists what you can tell me.')
