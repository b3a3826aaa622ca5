"""The roster: what a node knows of the others and of orders, so that it can say who is to be master after it.

It is read with every heartbeat and whenever an operator orders something, never while a lease is renewed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import structlog
import trio

from hachat.core.errors import StoreError
from hachat.core.phrases import Phrase, join_phrases
from hachat.store.control import Control, Directive
from hachat.store.members import Member
from hachat.store.peers import Peers
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

STEP, LONGEST = 0.01, 0.03
"""Seconds a node waits after a release for each living node of a higher priority, and at most."""


def find_fault(member: Member, control: Control) -> str:
    """Return why a living node cannot become master now; nothing if it can."""
    if member.leaving:
        return Phrase("{node} is leaving", node=member.node)
    if order := control.drains.get(member.node):
        return Phrase("{node} is drained {order}", node=member.node, order=order.describe())
    if order := control.holds.get(member.node):
        return Phrase("{node} is held back {order}", node=member.node, order=order.describe())
    return "" if member.priority else Phrase("{node} has lease.priority 0", node=member.node)


def find_heirs(peers: Peers, without: str) -> list[str]:
    """Return the nodes that could be master instead of `without`, those of the highest priority first."""
    fine = [
        member
        for member in peers.living
        if member.node != without and not find_fault(member, peers.control)
    ]
    return [member.node for member in sorted(fine, key=lambda member: -member.priority)]


def find_faults(peers: Peers, without: str) -> str:
    """Return why none of the others can be master instead of `without`."""
    faults = [
        find_fault(member, peers.control) for member in peers.living if member.node != without
    ]
    return join_phrases(filter(None, faults)) or Phrase("no other node is alive")


class Roster:
    """One node's view of the others; `read` asks Redis, `on_look` is called after each look."""

    def __init__(
        self,
        node: str,
        priority: int,
        read: Callable[[], Awaitable[Peers]],
        on_look: Callable[[], None] = lambda: None,
    ) -> None:
        self._node = node
        self._priority = priority
        self._read = read
        self._on_look = on_look
        self._peers = Peers()
        self._wanted = trio.Event()
        self._looked = trio.lowlevel.ParkingLot()

    @property
    def drained(self) -> Directive | None:
        """The order that drains this node, if there is one."""
        return self._peers.control.drains.get(self._node)

    @property
    def paused(self) -> Directive | None:
        """The order that pauses elections, if there was one at the last look."""
        return self._peers.control.pause

    def want(self) -> None:
        """Have it look soon: with a heartbeat, or because something was ordered."""
        self._wanted.set()

    async def look(self) -> None:
        """Look now.

        Raises:
            StoreError: Redis cannot be asked; what was seen before stays.
        """
        self._peers = await self._read()
        self._on_look()
        self._looked.unpark_all()

    async def try_to_look(self, within: float) -> None:
        """Look now if Redis answers in so many seconds; what was seen before must do otherwise."""
        with trio.move_on_after(within):
            try:
                await self.look()
            except StoreError as error:
                report(log, "cannot see the other nodes", error)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look whenever it is wanted, for ever."""
        task_status.started()
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            try:
                await self.look()
            except StoreError as error:
                report(log, "cannot see the other nodes", error)

    async def wait_drained(self, *, drained: bool) -> None:
        """Return once the node is drained, or is not any more."""
        while (self.drained is not None) != drained:
            await self._looked.park()

    def find_delay(self, leaver: str) -> float:
        """Return the seconds by which this node lets better ones go first after `leaver` gave the lease back."""
        better = sum(1 for _ in self._find_better(leaver))
        return min(STEP * better, LONGEST)

    def _find_better(self, leaver: str) -> Iterator[Member]:
        for member in self._peers.living:
            if (
                member.node not in (self._node, leaver)
                and member.priority > self._priority
                and not find_fault(member, self._peers.control)
            ):
                yield member
