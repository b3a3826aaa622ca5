"""Handlers that misbehave, on one node and once: one blocks the loop, one never lets go of the processor."""

from __future__ import annotations

import time
from itertools import count

from hachat import Context, Handler, command

_begun = count()


def _begins(ctx: Context, node: str, what: str) -> bool:
    if ctx.bot.node != node or next(_begun):
        return False
    ctx.log.warning(what)
    return True


class Blocking(Handler):
    """Does what no handler should."""

    @command(r"block (?P<node>\S+) (?P<seconds>[\d.]+)")
    async def block(self, ctx: Context, node: str, seconds: float) -> None:
        """block NODE SECONDS -- stop the loop of a node"""
        if _begins(ctx, node, "blocking"):
            time.sleep(seconds)  # noqa: ASYNC251 - that is what it is for

    @command(r"spin (?P<node>\S+) (?P<seconds>[\d.]+)")
    def spin(self, ctx: Context, node: str, seconds: float) -> None:
        """spin NODE SECONDS -- keep the interpreter of a node busy"""
        if _begins(ctx, node, "spinning"):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                pass
            ctx.log.warning("spun")
