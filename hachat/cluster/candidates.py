"""Who may succeed a master, and in which order: the one place where that is decided."""

from __future__ import annotations

from collections.abc import Iterable

from hachat.core.errors import StepDownRefused
from hachat.store.control import Control, read_control
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.status import NodeStatus, read_status


async def find_candidates(link: Link, keys: Keys, leaver: str, to: str = "") -> list[str]:
    """Return the nodes that may succeed `leaver` now, the best first; `to` alone, if it is named.

    Raises:
        StepDownRefused: there is none, or `to` is none.
        StoreError: Redis cannot be asked.
    """
    nodes = (await read_status(link, keys)).nodes
    return choose(nodes, await read_control(link, keys), leaver, to)


def choose(nodes: Iterable[NodeStatus], control: Control, leaver: str, to: str = "") -> list[str]:
    """Return which of `nodes` may succeed `leaver`, the best first; `to` alone, if it is named.

    Raises:
        StepDownRefused: there is none, or `to` is none.
    """
    if to == leaver:
        raise StepDownRefused(f"{to} is the master already", "ineligible")
    alive = {node.name for node in nodes if node.role != "dead"}
    others = sorted(alive - {leaver})
    faults = {name: fault for name in others if (fault := find_fault(name, control))}
    fit = [name for name in others if name not in faults]
    if to:
        _check(to, others, faults)
        return [to]
    if control.pause is not None:
        raise StepDownRefused("elections are paused; name the successor", "paused")
    if not fit:
        why = "; ".join(faults.values()) or f"{leaver} is the only node alive"
        raise StepDownRefused(f"nobody can take over: {why}", "no successor")
    return fit


def find_fault(name: str, control: Control) -> str:
    """Return why a living node may not become master, or an empty text."""
    for what, ordered in (("drained", control.drains), ("held", control.holds)):
        if (directive := ordered.get(name)) is not None:
            by = f" by {directive.by}" if directive.by else ""
            why = f": {directive.reason}" if directive.reason else ""
            return f"{name} is {what}{by}{why}"
    return ""


def _check(to: str, alive: list[str], faults: dict[str, str]) -> None:
    if to not in alive:
        names = ", ".join(alive) or "no others"
        raise StepDownRefused(
            f"{to} is not alive, so it cannot take over; alive are {names}", "ineligible"
        )
    if to in faults:
        raise StepDownRefused(f"{faults[to]}, so it cannot take over", "ineligible")
