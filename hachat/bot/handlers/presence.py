"""In which rooms is the bot?  Admins say so in chat."""

from __future__ import annotations

from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.access import ADMINS


class Presence(Handler):
    """Comes into rooms, and leaves them."""

    @command(r"join\s+(?P<room>\S+)(\s+(?P<key>\S+))?", groups={ADMINS})
    async def join(self, ctx: Context, room: str, key: str = "") -> None:
        """join ROOM [KEY] -- come into a room of this service, and be there from now on"""
        await ctx.join(_locate(ctx, room), key)
        await ctx.reply(f"I will be in {room} from now on.")

    @command(r"part(\s+(?P<room>\S+))?", groups={ADMINS})
    async def part(self, ctx: Context, room: str = "") -> None:
        """part [ROOM] -- leave a room, this one unless you name another, and stay out of it"""
        await ctx.reply(f"I will stay out of {room or 'this room'} from now on.")
        await ctx.part(_locate(ctx, room) if room else "")


def _locate(ctx: Context, room: str) -> str:
    return f"{ctx.room.adapter}/{room.removeprefix(f'{ctx.room.adapter}/')}"
