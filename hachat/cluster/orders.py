"""What operators order: elections paused, nodes drained.  Any node and the command line do it alike, through Redis."""

from __future__ import annotations

import msgspec
import trio

from hachat.cluster.roster import find_faults, find_heirs
from hachat.core.errors import UsageError
from hachat.core.lease import Event, Token
from hachat.store import control
from hachat.store.control import Directive
from hachat.store.keys import Keys
from hachat.store.lease import LeaseView
from hachat.store.link import Link
from hachat.store.peers import Peers, read_peers

PATIENCE = 10.0
"""Seconds a master that is drained has to hand over before whoever drains it is told that it has not."""


class Drained(msgspec.Struct, frozen=True):
    """A node that is drained; `was_master` and then `master`, who is now, empty for nobody."""

    node: str
    was_master: bool = False
    master: str = ""


class Orders:
    """Gives orders; each may be given again after an error."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._lease = LeaseView(link, keys)

    async def pause(self, *, by: str, reason: str = "", seconds: float | None = None) -> Directive:
        """Let nobody take over by itself, for so many seconds or until `resume`.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        return await control.pause(self._link, self._keys, by=by, reason=reason, seconds=seconds)

    async def resume(self, *, by: str = "") -> bool:
        """End the pause; False if there was none.  Raises as `pause` does."""
        return await control.resume(self._link, self._keys, by=by)

    async def drain(
        self,
        node: str,
        *,
        by: str,
        reason: str = "",
        force: bool = False,
        patience: float = PATIENCE,
    ) -> Drained:
        """Have `node` take no new work and never be master; return once it is none.

        Raises:
            UsageError: it is not known; it is master and nobody could follow, unless `force`; or it still is master after
                `patience` seconds, and drained nevertheless.
            StoreError: Redis did not answer, or said no.
        """
        master = await self._lease.read_master()
        leads = master is not None and master.node == node
        peers = await read_peers(self._link, self._keys)
        heirs = find_heirs(peers, node)
        if leads and not heirs and not force:
            raise UsageError(_refuse(peers, node))
        await control.drain(self._link, self._keys, node, by=by, reason=reason)
        if not leads or master is None:
            return Drained(node)
        after = await self._wait(master, vacant=not heirs, patience=patience)
        return Drained(node, was_master=True, master=after)

    async def undrain(self, node: str, *, by: str = "") -> bool:
        """Take back what keeps a node from working or being master, a drain or a hold; False if there was neither.

        Raises:
            UsageError: it is not known.
            StoreError: Redis did not answer, or said no.
        """
        drained = await control.undrain(self._link, self._keys, node, by=by)
        if await control.unhold(self._link, self._keys, node, by=by) or drained:
            return True
        await control.check_known(self._link, self._keys, node)
        return False

    async def _wait(self, old: Token, *, vacant: bool, patience: float) -> str:
        """Return who is master after `old`; an empty text if nobody is and that is enough."""
        found: list[str] = []

        async def hear(event: Event) -> None:
            if event.kind in ("connected", "released", "acquired"):
                now = await self._lease.read_master()
                if now != old and (now is not None or vacant):
                    found.append(now.node if now is not None else "")
                    scope.cancel()

        with trio.move_on_after(patience) as scope:
            await self._lease.follow(hear)
        if not found:
            raise UsageError(
                f"{old.node} is drained, but nobody has taken over within {patience:g} s; it may still be finishing its"
                " work, see `hachat status`"
            )
        return found[0]


def _refuse(peers: Peers, node: str) -> str:
    return (
        f"{node} is master and nobody could take over: {find_faults(peers, node)};"
        " --force drains it all the same, and then nobody is master"
    )
