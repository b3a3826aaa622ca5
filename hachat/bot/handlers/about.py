"""What is this bot?"""

from __future__ import annotations

import time
from collections.abc import Callable

from hachat import __version__
from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.rates import format_wait


class About(Handler):
    """Introduces the bot."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began = now()

    @command("about")
    async def about(self, ctx: Context) -> None:
        """about -- tell what I am"""
        bot, since = ctx.bot, format_wait(self._now() - self._began)
        await ctx.reply(
            f"I am {bot.name}, a bot that stays up: hachat {__version__}, here on node {bot.node} for {since}. "
            f'"{ctx.prefix}help" lists what you can tell me.'
        )
