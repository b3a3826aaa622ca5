"""What can the bot do?"""

from __future__ import annotations

from hachat.bot.context import Context
from hachat.bot.handler import Handler, command


class Help(Handler):
    """Lists commands as they are to be written."""

    @command("help")
    @command(r"help\s+(?P<query>.+)")
    async def help(self, ctx: Context, query: str = "") -> None:
        """help [QUERY] -- list the commands you may run, or those that mention QUERY"""
        lines = {
            f"{ctx.prefix}{usage.line}" + (f" - {usage.explanation}" if usage.explanation else "")
            for usage in ctx.bot.commands
            if query.casefold() in f"{usage.line} {usage.explanation}".casefold()
            and not await ctx.access.judge(ctx.message, usage.route, usage.line, usage.groups)
        }
        await ctx.reply("\n".join(sorted(lines)) or f"No command mentions {query}.")
