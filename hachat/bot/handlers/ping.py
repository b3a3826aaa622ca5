"""Is the bot there?"""

from __future__ import annotations

from hachat.bot.context import Context
from hachat.bot.handler import Handler, command


class Ping(Handler):
    """Answers, so that people see that somebody does."""

    @command("ping")
    async def ping(self, ctx: Context) -> None:
        """ping -- see whether I am there"""
        await ctx.reply(ctx.translate("pong"))
