"""Puts a lab in order between two drills: everything runs, hears of everything else, and the Sentinels are ready for a failover."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import trio

from hachat.core.errors import StoreError
from hachat.store.status import read_status
from tests.whole.drills.daemons import node_of
from tests.whole.drills.ground import Namespaces
from tests.whole.drills.lab import Lab
from tests.whole.drills.stores import REDIS, SERVICE, Program, read_pairs

_WITHIN = 30.0
_AGAIN = 0.1
_WELL = ("master", "slave", "slave", "sentinel", "sentinel")


async def mend(lab: Lab, within: float = _WITHIN) -> None:
    """Start what is down, heal what is cut, and return when all is well.

    Raises:
        AssertionError: it is not, `within` so many seconds.
    """
    if isinstance(lab.ground, Namespaces):
        lab.ground.heal()
    for program in (*lab.stores.values(), *lab.sentinels.values()):
        program.thaw()
        if not program.runs:
            program.start()
    for sentinel in lab.sentinels.values():
        _cure_tilt(sentinel)
    start_nodes(lab)
    await _wait_for_order(lab, within)
    identity = lab.stores[lab.store_master()].read("INFO", "server")["run_id"]
    if identity != lab.identity:
        lab.identity, lab.met = identity, trio.current_time()


def start_nodes(lab: Lab) -> None:
    """Start every daemon that is down."""
    for number, daemon in lab.daemons.items():
        if daemon.process.poll() is not None:
            lab.start(number)


async def _wait_for_order(lab: Lab, within: float) -> None:
    give_up = trio.current_time() + within
    while trouble := _find_ill_stores(lab) or await _find_ill_nodes(lab):
        assert trio.current_time() < give_up, f"not in order within {within} s: {trouble}"
        # A look blocks the loop, and costs the processor that the nodes need.
        await trio.sleep(_AGAIN)


def _cure_tilt(sentinel: Program) -> None:
    """Start anew a Sentinel that stood still: it does nothing for thirty seconds after that."""
    with suppress(StoreError):
        if sentinel.read("INFO", "sentinel").get("sentinel_tilt") != "0":
            sentinel.kill()
            sentinel.start()


def _find_ill_stores(lab: Lab) -> str:
    """Return what is wrong with Redis or the Sentinels, in words."""
    try:
        master = lab.store_master()
        _follow(lab, master)
        replication = lab.stores[master].read("INFO", "replication")
        lines = [replication.get(f"slave{number}", "") for number in range(2)]
        if not all("state=online" in line for line in lines):
            return f"replicas of {master}: {lines}"
        flags = [_read_flags(sentinel) for sentinel in lab.sentinels.values()]
        return "" if all(each == _WELL for each in flags) else f"the Sentinels see {flags}"
    except StoreError as error:
        return str(error)


def _follow(lab: Lab, master: int) -> None:
    """Tell a deposed master at once what its Sentinels tell it after eight seconds."""
    address = lab.stores[master].address
    if lab.stores[master].read("INFO", "replication")["role"] != "master":
        return
    for number, store in lab.stores.items():
        with suppress(StoreError):
            if number != master and store.read("INFO", "replication")["role"] == "master":
                store.ask("REPLICAOF", address, REDIS)


def _read_flags(sentinel: Program) -> Sequence[str]:
    state = read_pairs(sentinel.ask("SENTINEL", "MASTER", SERVICE))
    replicas, others = (
        [read_pairs(each)["flags"] for each in sentinel.ask("SENTINEL", kind, SERVICE)]
        for kind in ("REPLICAS", "SENTINELS")
    )
    # What another Sentinel said of the last master's health stays written there.
    return tuple(
        flags.replace(",master_down", "") for flags in (state["flags"], *replicas, *others)
    )


async def _find_ill_nodes(lab: Lab) -> str:
    """Return what is wrong with the nodes, in words."""
    try:
        status = await read_status(lab.link, lab.keys)
    except StoreError as error:
        return str(error)
    found = {node.name: (node.pid, node.role) for node in status.nodes}
    for number, daemon in lab.daemons.items():
        pid, role = found.get(node_of(number), (0, "dead"))
        if pid != daemon.process.pid or role == "dead":
            return f"{node_of(number)} is not in the cluster: process {daemon.process.pid}, {found}"
    return "" if status.master else "there is no master"
