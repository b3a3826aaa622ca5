"""Who is master, who else is there, and how much is waiting?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.errors import StoreError
from hachat.core.phrases import gettext_noop

_ROLES = {
    "master": gettext_noop("master"),
    "standby": gettext_noop("standby"),
    "dead": gettext_noop("dead"),
}


class NodeView(Protocol):
    """One node: its name, its role (`master`, `standby` or `dead`), and its version of hachat."""

    @property
    def name(self) -> str: ...  # noqa: D102 - described by the class

    @property
    def role(self) -> str: ...  # noqa: D102

    @property
    def version(self) -> str: ...  # noqa: D102


class QueueView(Protocol):
    """One queue: how many wait, and for how many seconds the first of them has."""

    @property
    def depth(self) -> int: ...  # noqa: D102 - described by the class

    @property
    def oldest(self) -> float | None: ...  # noqa: D102


class ClusterView(Protocol):
    """The cluster at one moment: who is master, its nodes, what is waiting, and sentences about what is or nears full."""

    @property
    def master(self) -> str | None: ...  # noqa: D102 - described by the class

    @property
    def nodes(self) -> Sequence[NodeView]: ...  # noqa: D102

    @property
    def inbound(self) -> Mapping[str, QueueView]: ...  # noqa: D102

    @property
    def outbound(self) -> QueueView: ...  # noqa: D102

    @property
    def dead_letters(self) -> int: ...  # noqa: D102

    @property
    def full(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def warnings(self) -> Sequence[str]: ...  # noqa: D102


ReadCluster = Callable[[], Awaitable[ClusterView]]
"""Looks at the cluster as it is now; raises StoreError."""


class Cluster(Handler):
    """Shows the cluster to whoever asks in chat."""

    def __init__(self, read_cluster: ReadCluster) -> None:
        self._read_cluster = read_cluster

    @command("cluster")
    async def cluster(self, ctx: Context) -> None:
        """cluster -- show who is master, the other nodes, and how much is waiting"""
        try:
            view = await self._read_cluster()
        except StoreError as error:
            ctx.log.warning("cannot see the cluster", error=str(error))
            away = ctx.translate("Redis does not answer me, so I cannot see the cluster right now.")
            await ctx.reply(away)
        else:
            await ctx.reply(describe(ctx, view))


def describe(ctx: Context, view: ClusterView) -> str:
    """Return the cluster in a few lines, the master first."""
    nodes = sorted(view.nodes, key=lambda node: (node.role != "master", node.name))
    queues = {**view.inbound, "outbound": view.outbound}
    lines = [ctx.translate("master: {node}", node=view.master or ctx.translate("nobody"))]
    lines += [f"{node.name}: {_name(ctx, node.role)}, hachat {node.version}" for node in nodes]
    waiting = ", ".join(_describe_queue(ctx, *queue) for queue in queues.items())
    lines.append(ctx.translate("waiting: {queues}", queues=waiting))
    if view.dead_letters:
        lines.append(ctx.translate("dead letters: {count}", count=view.dead_letters))
    lines += map(ctx.explain, (*view.full, *view.warnings))
    return "\n".join(lines)


def _name(ctx: Context, role: str) -> str:
    return ctx.translate(_ROLES.get(role, "{role}"), role=role)


def _describe_queue(ctx: Context, name: str, queue: QueueView) -> str:
    age = queue.oldest
    told = "" if age is None else f" {ctx.translate('(for {seconds:.0f} s)', seconds=age)}"
    return f"{name} {queue.depth}{told}"
