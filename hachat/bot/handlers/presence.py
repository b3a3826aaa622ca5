"""In which rooms is the bot?  Admins say so in chat."""

from __future__ import annotations

import re
from collections.abc import Collection

from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.access import ADMINS

_ADDRESS = re.compile(r"\w[\w-]*/\S+")  # no channel of IRC begins like that


class Presence(Handler):
    """Comes into rooms, and leaves them."""

    def __init__(self, closed: Collection[str] = ()) -> None:
        """Serve with the services in `closed`, by their names, where the bot can do neither."""
        self._closed = closed

    @command(r"join\s+(?P<room>\S+)(\s+(?P<password>\S+))?", groups={ADMINS})
    async def join(self, ctx: Context, room: str, password: str = "") -> None:
        """join ROOM [KEY] -- have me come into a room, and be there from now on"""
        address = _locate(ctx, room)
        if await self._cannot(ctx, address):
            return
        await ctx.join(address, password)
        # Not said in the room itself: where a service cannot join, that would be said all the same.
        await ctx.reply(
            ctx.translate(
                "I will be in {room} from now on. If I cannot get in, I will say so here.",
                room=room,
            )
        )

    @command(r"part(\s+(?P<room>\S+))?", groups={ADMINS})
    async def part(self, ctx: Context, room: str = "") -> None:
        """part [ROOM] -- have me leave a room, this one unless you name another, and stay out of it"""
        if ctx.private and not room:
            usage = f"{ctx.prefix}part {ctx.translate('ROOM')}"
            await ctx.reply(ctx.translate("We are alone here; write {usage}.", usage=usage))
            return
        address = _locate(ctx, room) if room else ctx.room.address
        if await self._cannot(ctx, address):
            return
        promise = ctx.translate("I will stay out of this room from now on.")
        if room:
            promise = ctx.translate("I will stay out of {room} from now on.", room=room)
        if address != ctx.room.address:
            promise += f" {ctx.translate('If I cannot leave, I will say so here.')}"
        await ctx.reply(promise)
        await ctx.part(address)

    async def _cannot(self, ctx: Context, address: str) -> bool:
        """Say so, if the service is one on which it cannot be done."""
        service = address.partition("/")[0]
        if service not in self._closed:
            return False
        sorry = ctx.translate(
            "On {service} I cannot come into rooms, or leave them.", service=service
        )
        await ctx.reply(sorry)
        return True


def _locate(ctx: Context, room: str) -> str:
    """Return the address of a room: of the service where this was said, unless `room` is an address."""
    return room if _ADDRESS.fullmatch(room) else f"{ctx.room.adapter}/{room}"
