"""In which rooms is the bot?  Admins say so in chat."""

from __future__ import annotations

import re

from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.access import ADMINS

_ADDRESS = re.compile(r"\w[\w-]*/\S+")  # no channel of IRC begins like that


class Presence(Handler):
    """Comes into rooms, and leaves them."""

    @command(r"join\s+(?P<room>\S+)(\s+(?P<password>\S+))?", groups={ADMINS})
    async def join(self, ctx: Context, room: str, password: str = "") -> None:
        """join ROOM [KEY] -- have me come into a room, and be there from now on"""
        await ctx.join(_locate(ctx, room), password)
        # Not said in the room itself: where a service cannot join, that would be said all the same.
        await ctx.reply(f"I will be in {room} from now on. If I cannot get in, I will say so here.")

    @command(r"part(\s+(?P<room>\S+))?", groups={ADMINS})
    async def part(self, ctx: Context, room: str = "") -> None:
        """part [ROOM] -- have me leave a room, this one unless you name another, and stay out of it"""
        if ctx.private and not room:
            await ctx.reply(f"We are alone here; write {ctx.prefix}part ROOM.")
            return
        address = _locate(ctx, room) if room else ctx.room.address
        elsewhere = address != ctx.room.address
        failing = " If I cannot leave, I will say so here." if elsewhere else ""
        await ctx.reply(f"I will stay out of {room or 'this room'} from now on.{failing}")
        await ctx.part(address)


def _locate(ctx: Context, room: str) -> str:
    """Return the address of a room: of the service where this was said, unless `room` is an address."""
    return room if _ADDRESS.fullmatch(room) else f"{ctx.room.adapter}/{room}"
