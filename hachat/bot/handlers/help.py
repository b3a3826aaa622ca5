"""What can the bot do?"""

from __future__ import annotations

from collections.abc import Sequence

from hachat.bot.context import Context
from hachat.bot.description import Usage
from hachat.bot.handler import Handler, command

LONG = 10
"""Lines beyond which help is not for a room."""


class Help(Handler):
    """Lists commands as they are to be written."""

    @command("help")
    @command(r"help\s+(?P<query>.+)")
    async def help(self, ctx: Context, query: str = "") -> None:
        """help [QUERY] -- list the commands you may run, those of a handler, or those that mention QUERY"""
        commands = ctx.bot.commands
        allowed = [usage for usage in commands if await ctx.access.shows(ctx.message, usage)]
        lines = _list_commands(ctx, choose(allowed, query))
        if not query and len(lines) > LONG:
            lines = [
                *_list_topics(ctx, allowed),
                ctx.translate(
                    "Write {help} and one of these for its commands.", help=f"{ctx.prefix}help"
                ),
            ]
        if ctx.private or len(lines) <= LONG:
            nothing = ctx.translate("No command mentions {query}.", query=query)
            await ctx.reply("\n".join(lines) or nothing)
            return
        await ctx.reply(ctx.translate("That is long, so I tell you in private."))
        await ctx.reply_privately("\n".join(lines))


def choose(commands: Sequence[Usage], query: str) -> Sequence[Usage]:
    """Return the commands of the handler named `query`, or else those that mention it."""
    query = query.casefold()
    of_handler = [usage for usage in commands if usage.handler == query]
    return of_handler or [
        usage for usage in commands if query in f"{usage.line} {usage.explanation}".casefold()
    ]


def _list_commands(ctx: Context, commands: Sequence[Usage]) -> list[str]:
    return sorted({ctx.prefix + _describe(usage.line, usage.explanation) for usage in commands})


def _list_topics(ctx: Context, commands: Sequence[Usage]) -> list[str]:
    handlers = {usage.handler for usage in commands}
    return sorted(
        _describe(one.name, one.purpose) for one in ctx.bot.topics if one.name in handlers
    )


def _describe(name: str, purpose: str) -> str:
    return f"{name} - {purpose}" if purpose else name
