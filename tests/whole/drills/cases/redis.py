"""Redis masters that die, stand still and are deposed."""

from __future__ import annotations

from tests.waiting import until
from tests.whole.drills.drill import Drill
from tests.whole.drills.lab import Lab
from tests.whole.drills.oracle import Bounds
from tests.whole.drills.stores import SERVICE

FAILOVER = 3.5
"""Seconds without a reply in a failover of Redis."""


async def kill_master(lab: Lab) -> None:
    """Kill the Redis master; it comes back after the failover."""
    old = lab.store_master()
    lab.note(f"kill -9 Redis {old}")
    lab.stores[old].kill()
    await until(lambda: lab.store_master() != old, 15.0)
    await lab.hear()
    lab.stores[old].start()


async def restart_master(lab: Lab) -> None:
    """Kill the Redis master; it is back on its data before the Sentinels notice."""
    old = lab.store_master()
    lab.note(f"kill -9 Redis {old}, and started again")
    lab.stores[old].kill()
    lab.stores[old].start()
    await lab.hear()


async def restart_master_empty(lab: Lab) -> None:
    """Kill the Redis master; it is back before the Sentinels notice, without its data."""
    old = lab.store_master()
    lab.note(f"kill -9 Redis {old}, and started again without its data")
    lab.stores[old].kill()
    lab.stores[old].forget()
    lab.stores[old].start()
    await lab.hear()


async def freeze_master(lab: Lab) -> None:
    """Let the Redis master stand still, and go on after the failover."""
    old = lab.store_master()
    lab.note(f"SIGSTOP Redis {old}")
    lab.stores[old].freeze()
    await until(lambda: lab.store_master() != old, 15.0)
    await lab.hear()
    lab.note(f"SIGCONT Redis {old}")
    lab.stores[old].thaw()
    await lab.hear(60)


async def fail_over(lab: Lab) -> None:
    """Ask for a planned failover."""
    old = lab.store_master()
    lab.note("SENTINEL FAILOVER")
    lab.sentinels[1].ask("SENTINEL", "FAILOVER", SERVICE)
    await until(lambda: lab.store_master() != old, 15.0)
    await lab.hear()


DRILLS = (
    Drill("redis-killed", 4, "", kill_master, Bounds(FAILOVER, terms=0)),
    Drill("redis-restarted", 4, "", restart_master, Bounds(FAILOVER, terms=0)),
    Drill(
        "redis-restarted-empty",
        4,
        "the replicas copy its emptiness: what waited is gone, only tokens and masters are sure",
        restart_master_empty,
        Bounds(15.0, forgives=("I4", "I5", "I6", "I15")),
    ),
    Drill("redis-frozen", 5, "", freeze_master, Bounds(FAILOVER, terms=0)),
    Drill("redis-failover", 6, "", fail_over, Bounds(1.5, terms=0)),
)
