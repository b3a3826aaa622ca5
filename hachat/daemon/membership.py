"""A node among the others: it joins, beats, hears who has gone, and says goodbye when nothing is done in its name any more."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio

from hachat import __version__
from hachat.bot.recovery import Recovery
from hachat.cluster.members import Heartbeat, join, leave
from hachat.cluster.roster import Roster
from hachat.core import wire
from hachat.core.settings import Settings
from hachat.daemon.herald import Herald
from hachat.daemon.holding import Holder
from hachat.daemon.leaving import GOODBYE
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.members import Member, Members, check_layout
from hachat.store.retry import retry
from hachat.tasks.services import running


class Membership:
    """This node's place in the cluster; nobody's work is taken over any more once it is `leaving`.

    `turned_at` returns the monotonic time at which the loop last turned.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        *,
        roster: Roster,
        recovery: Recovery,
        herald: Herald,
        holder: Holder,
        turned_at: Callable[[], float],
        leaving: Callable[[], bool],
    ) -> None:
        self._link = link
        self._keys = keys
        self._roster = roster
        self._recovery = recovery
        self._herald = herald
        self._holder = holder
        self._turned_at = turned_at
        self._leaving = leaving
        self._heartbeat: Heartbeat | None = None

    @property
    def silence(self) -> float | None:
        """Seconds since Redis last heard of this node; None before it has joined."""
        return time.monotonic() - self._heartbeat.beaten_at if self._heartbeat else None

    async def join(self, members: Members) -> None:
        """Enter the cluster, and wait for Redis if it is away.

        Raises:
            NewerLayout: Redis holds the queues of a newer release.
            NodeNameTaken: another living process runs under this node's name.
        """
        await retry(partial(check_layout, self._link, self._keys))
        await join(members)
        await retry(self._roster.look)
        if await retry(members.begin):
            self._herald.begin(members.me.consumer)
        self._herald.tell("node joined", members.me.consumer)

    @asynccontextmanager
    async def hold(self, members: Members) -> AsyncIterator[None]:
        """Beat as long as this is open, and then say goodbye."""
        me = members.me
        self._heartbeat = heartbeat = Heartbeat(
            members,
            self._link,
            stall=me.life - me.beat,
            turned_at=self._turned_at,
            on_gone=self._hear_of_gone,
            on_beat=self._hear_beat,
        )
        self._holder.note("")
        try:
            async with running(heartbeat.run):
                yield
        finally:
            with trio.move_on_after(GOODBYE, shield=True):
                self._herald.tell("node left", me.consumer)
                await self._herald.flush()
                if await leave(members):
                    self._holder.remove()

    def _hear_of_gone(self, consumers: Sequence[str]) -> None:
        # Or what is taken over would lie here until we are gone.
        if not self._leaving() and not self._roster.drained:
            self._recovery.notice(consumers)
            for consumer in consumers:
                self._herald.tell("node left", consumer, consumer.rpartition(":")[0])

    def _hear_beat(self) -> None:
        self._recovery.beaten()
        self._roster.want()


def introduce(settings: Settings, boot: str, url: str) -> Member:
    """Return what the node that is being started, as the process `boot` with its HTTP at `url`, says of itself."""
    work = settings.worker
    return Member(
        node=settings.node,
        boot=boot,
        pid=os.getpid(),
        http=url,
        version=__version__,
        started=time.time(),
        beat=work.heartbeat,
        life=work.node_ttl,
        schema=wire.VERSION,
        priority=settings.lease.priority,
    )
