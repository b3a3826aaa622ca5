"""What the daemons of these tests can do."""

from __future__ import annotations

import trio

from hachat import Context, Handler, command

SECONDS = 0.05
"""How long an echo takes."""


class Echo(Handler):
    """Repeats what it is told, after a while."""

    @command(r"echo (?P<number>\d+)")
    async def echo(self, ctx: Context, number: int) -> None:
        """echo NUMBER -- repeat NUMBER, but not at once"""
        await trio.sleep(SECONDS)
        await ctx.reply(str(number))


class Census(Handler):
    """Counts people."""

    @command("who is here")
    async def who(self, ctx: Context) -> None:
        """who is here -- list the people in this room"""
        people = await ctx.roster()
        names = sorted(user.name for user in people)
        await ctx.reply(f"{' and '.join(names)}, says {ctx.bot.node}")
