"""Whom has the bot met, and where?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.known import Known

MOST = 20
"""Users or rooms that are listed."""


class People(Handler):
    """Finds users and rooms."""

    @command(r"users?\s+find\s+(?P<query>.+)")
    async def find(self, ctx: Context, query: str) -> None:
        """users find QUERY -- tell whom I know by that id, name, mention or beginning of a name"""
        found = await ctx.people.search_users(ctx.room.adapter, query, MOST + 1)
        nobody = ctx.translate("I know no user called {name}.", name=query)
        await ctx.reply(_list(ctx, found) or nobody)

    @command("rooms")
    @command(r"rooms\s+(?P<query>.+)")
    async def rooms(self, ctx: Context, query: str = "") -> None:
        """rooms [QUERY] -- list the rooms I know, or those whose names begin like that"""
        found = await ctx.people.search_rooms(ctx.room.adapter, query, MOST + 1)
        nothing = ctx.translate("I know no room yet.")
        if query:
            nothing = ctx.translate("I know no room called {name}.", name=query)
        await ctx.reply(_list(ctx, found) or nothing)


def _list(ctx: Context, found: Sequence[Known]) -> str:
    lines = [
        ctx.translate("{name}, last seen {time}", name=one, time=_format(one.last))
        for one in found[:MOST]
    ]
    if len(found) > MOST:
        lines.append(ctx.translate("There are more; write more of the name."))
    return "\n".join(lines)


def _format(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
