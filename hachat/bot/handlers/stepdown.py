"""Who is to be master?  Admins may say so in chat."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Protocol

from hachat.bot.access import name_speaker
from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.bot.handlers.cluster import ReadCluster
from hachat.core.access import ADMINS
from hachat.core.errors import StepDownCode, StepDownRefused, StoreError
from hachat.core.phrases import Phrase, find_phrase, gettext_noop
from hachat.core.stepdown import Order, not_alive

PATIENCE = 10.0
"""Seconds a successor is waited for."""

_AWAY = gettext_noop("Redis does not answer me, so I cannot tell who is master.")

_WHY: Mapping[StepDownCode, str] = {
    "no master": gettext_noop("nobody is master"),
    "changed": gettext_noop("another node is master than was meant"),
    "ineligible": gettext_noop("that node cannot take over"),
    "no successor": gettext_noop("nobody could take over"),
    "pending": gettext_noop("it is under way already"),
    "paused": gettext_noop("elections are paused"),
    "unanswered": gettext_noop("the master did not answer in time"),
    "not taken over": gettext_noop("it was given back, and not taken over as asked"),
    "failed": gettext_noop("something failed"),
}


class MovedView(Protocol):
    """A step-down that is done: who was master, who is, and for how many seconds nobody was, if that was seen."""

    @property
    def old(self) -> str: ...  # noqa: D102 - described by the class

    @property
    def new(self) -> str: ...  # noqa: D102

    @property
    def gap(self) -> float | None: ...  # noqa: D102


class Move(Protocol):
    """Has the master step down."""

    def __call__(self, order: Order, leaver: str, patience: float) -> Awaitable[MovedView]:
        """Return once another node than the `leaver` is master; raises StepDownRefused, StoreError."""
        ...


class StepDown(Handler):
    """Lets another node be master."""

    def __init__(self, read_cluster: ReadCluster, move: Move) -> None:
        self._read_cluster = read_cluster
        self._move = move

    @command("step-down", groups={ADMINS}, retry="never")
    @command(r"step-down\s+to\s+(?P<node>\S+)", groups={ADMINS}, retry="never")
    async def step_down(self, ctx: Context, node: str = "") -> None:
        """step-down [to NODE] -- let another node be master"""
        try:
            master, *others = await ctx.once("nodes", self._read_nodes)
            if await self._may(ctx, master, others, node):
                order = Order(to=node, by=name_speaker(ctx.message))
                # Whoever said yes meant this master, and none that came since.
                moved = await self._move(order, master, PATIENCE)
                await ctx.reply(describe(ctx, moved))
        except StepDownRefused as error:
            reason = _explain(ctx, error)
            await ctx.reply(ctx.translate("That could not be done: {reason}.", reason=reason))
        except StoreError as error:
            ctx.log.warning("cannot move the lease", error=str(error))
            await ctx.reply(ctx.translate(_AWAY))

    async def _may(self, ctx: Context, master: str, others: list[str], node: str) -> bool:
        """Tell whether there is something to do, and somebody wants it."""
        if not master:
            await ctx.reply(ctx.translate("Nobody is master."))
            return False
        if node == master:
            await ctx.reply(ctx.translate("{node} is master already.", node=master))
            return False
        if node and node not in others:
            raise not_alive(node, others)
        question = ctx.translate(
            "Do you want {node} to be master in place of {master}?",
            node=node or ctx.translate("another node"),
            master=master,
        )
        if await ctx.confirm(question):
            return True
        await ctx.reply(ctx.translate("Then {master} stays master.", master=master))
        return False

    async def _read_nodes(self) -> list[str]:
        """Return the master, or nothing, and those who could be it."""
        cluster = await self._read_cluster()
        return [
            cluster.master or "",
            *(node.name for node in cluster.nodes if node.role == "standby"),
        ]


def _explain(ctx: Context, error: StepDownRefused) -> str:
    """Return why the lease does not move; what another node has written of that is English, and stands behind it."""
    if isinstance(find_phrase(error), Phrase):
        return ctx.explain(error)
    return f"{ctx.translate(_WHY[error.code])} ({error})"


def describe(ctx: Context, moved: MovedView) -> str:
    """Return what a step-down came to."""
    if moved.gap is None:
        return ctx.translate("{new} is master in place of {old}.", new=moved.new, old=moved.old)
    return ctx.translate(
        "{new} is master in place of {old}; nobody was for {gap:.0f} ms.",
        new=moved.new,
        old=moved.old,
        gap=moved.gap * 1000,
    )
