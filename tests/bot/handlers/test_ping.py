"""The bot is there."""

from __future__ import annotations

from hachat.bot.handlers.ping import Ping
from tests.bot.stage import Stage


async def test_ping() -> None:
    """A ping is answered."""
    assert await Stage(Ping()).say("hachat ping") == ["pong"]
