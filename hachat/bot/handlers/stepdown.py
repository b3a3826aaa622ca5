"""Who is to be master?  Admins may say so in chat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from hachat.bot.access import find_sender
from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.access import ADMINS
from hachat.core.errors import StepDownRefused, StoreError
from hachat.core.stepdown import Order


class MovedView(Protocol):
    """A step-down that is done: who was master, who is, and for how many seconds nobody was, if that was seen."""

    @property
    def old(self) -> str: ...  # noqa: D102 - described by the class

    @property
    def new(self) -> str: ...  # noqa: D102

    @property
    def gap(self) -> float | None: ...  # noqa: D102


Move = Callable[[Order], Awaitable[MovedView]]
"""Has the master step down, whoever it is; raises StepDownRefused, StoreError."""


class StepDown(Handler):
    """Moves the lease."""

    def __init__(self, move: Move) -> None:
        self._move = move

    @command(r"step-down(\s+to\s+(?P<node>\S+))?", groups={ADMINS}, retry="never")
    async def step_down(self, ctx: Context, node: str = "") -> None:
        """step-down [to NODE] -- let another node be master"""
        if not await ctx.confirm(f"Shall {node or 'another node'} be master?"):
            await ctx.reply("Then it stays as it is.")
            return
        try:
            moved = await self._move(Order(to=node, by=find_sender(ctx.message)))
        except StepDownRefused as error:
            await ctx.reply(f"It stays as it is: {error}.")
        except StoreError as error:
            ctx.log.warning("cannot move the lease", error=str(error))
            await ctx.reply(
                "Redis does not answer me, so I cannot tell whether anything has changed."
            )
        else:
            gap = "" if moved.gap is None else f", after {moved.gap * 1000:.0f} ms without one"
            await ctx.reply(f"{moved.new} is master in place of {moved.old}{gap}.")
