"""What the daemons of these tests can do."""

from __future__ import annotations

import time

import msgspec
import trio

from hachat import Context, Handler, command, hook

SECONDS = 0.05
"""How long an echo takes."""


class Echo(Handler):
    """Repeats what it is told, after a while."""

    @command(r"echo (?P<number>\d+)")
    async def echo(self, ctx: Context, number: int) -> None:
        """echo NUMBER -- repeat NUMBER, but not at once"""
        await trio.sleep(SECONDS)
        await ctx.reply(str(number))


class Order(msgspec.Struct, frozen=True):
    """What a webhook asks for: so many replies in a room, after so many seconds."""

    number: int
    room: str
    times: int = 1
    seconds: float = 0.0


class Count(Handler):
    """Answers as often and as late as it is told, and logs by which id it knew what it was told."""

    @command(r"count (?P<number>\d+) (?P<times>\d) (?P<seconds>[\d.]+)(?P<fails> fail)?")
    async def count(
        self, ctx: Context, number: int, times: int, seconds: float, fails: str = ""
    ) -> None:
        """count NUMBER TIMES SECONDS [fail] -- reply so often, after so long, or fail at first"""
        began = trio.current_time()
        ctx.log.info("counting", number=number)
        try:
            await trio.sleep(seconds)
            if fails and ctx.inbound.attempt == 0:
                raise RuntimeError("as it was told to")
            for turn in range(1, times + 1):
                await ctx.reply(f"{number}.{turn}")
        finally:
            ctx.log.info("counted", number=number, seconds=trio.current_time() - began)

    @hook.post("/count")
    async def post(self, ctx: Context, order: Order) -> None:
        """Do the same for a webhook."""
        ctx.log.info("counting", number=order.number)
        await trio.sleep(order.seconds)
        for turn in range(1, order.times + 1):
            await ctx.say(order.room, f"{order.number}.{turn}")


class Block(Handler):
    """Blocks the loop of one node, as no handler should."""

    @command(r"block (?P<node>[\w-]+) (?P<seconds>\d+)")
    async def block(self, ctx: Context, node: str, seconds: int) -> None:
        """block NODE SECONDS -- stand still for so long, on that node only"""
        if ctx.bot.node == node:
            ctx.log.info("blocking")
            time.sleep(seconds)  # noqa: ASYNC251 - that is what it is for
            ctx.log.info("blocked")


class Census(Handler):
    """Counts people."""

    @command("who is here")
    async def who(self, ctx: Context) -> None:
        """who is here -- list the people in this room"""
        people = await ctx.roster()
        names = sorted(user.name for user in people)
        await ctx.reply(f"{' and '.join(names)}, says {ctx.bot.node}")


class Journey(Handler):
    """Goes where it is told to."""

    @command(r"go to (?P<channel>\S+)")
    async def go(self, ctx: Context, channel: str) -> None:
        """go to CHANNEL -- come to CHANNEL"""
        await ctx.join(f"irc/{channel}")

    @command("go away")
    async def leave(self, ctx: Context) -> None:
        """go away -- leave this channel"""
        await ctx.part()

    @command("whisper")
    async def whisper(self, ctx: Context) -> None:
        """whisper -- say something to you alone"""
        await ctx.mention("hush")
        await ctx.reply_privately("psst")
