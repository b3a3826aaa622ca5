"""Who may succeed a master, and in which order: the one place where that is decided."""

from __future__ import annotations

from hachat.cluster.roster import find_fault, find_faults, find_heirs
from hachat.core.errors import StepDownRefused
from hachat.core.phrases import Phrase
from hachat.core.stepdown import not_alive
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.peers import Peers, read_peers


async def find_candidates(link: Link, keys: Keys, leaver: str, to: str = "") -> list[str]:
    """Return the nodes that may succeed `leaver` now, the best first; `to` alone, if it is named.

    Raises:
        StepDownRefused: there is none, or `to` is none.
        StoreError: Redis cannot be asked.
    """
    return choose(await read_peers(link, keys), leaver, to)


def choose(peers: Peers, leaver: str, to: str = "") -> list[str]:
    """Return who may succeed `leaver`, those of the highest priority first; `to` alone, if it is named.

    Raises:
        StepDownRefused: there is none, or `to` is none.
    """
    if to:
        _check(peers, leaver, to)
        return [to]
    if (pause := peers.control.pause) is not None:
        raise StepDownRefused(
            Phrase(
                "elections are paused {order}; name who is to take over (--to), or end the pause with"
                " `hachat resume`",
                order=pause.describe(),
            ),
            "paused",
        )
    heirs = find_heirs(peers, leaver)
    if not heirs:
        raise StepDownRefused(
            Phrase("nobody could take over: {reasons}", reasons=find_faults(peers, leaver)),
            "no successor",
        )
    return heirs


def _check(peers: Peers, leaver: str, to: str) -> None:
    if to == leaver:
        raise StepDownRefused(Phrase("{node} is the master already", node=to), "ineligible")
    named = [member for member in peers.living if member.node == to]
    if not named:
        raise not_alive(to, [member.node for member in peers.living if member.node != leaver])
    if fault := find_fault(named[0], peers.control):
        raise StepDownRefused(
            Phrase("{reason}, so it cannot take over", reason=fault), "ineligible"
        )
