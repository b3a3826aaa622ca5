"""Redis masters that die, stand still and are deposed."""

from __future__ import annotations

import trio

from tests.waiting import until
from tests.whole.drills.drill import Drill
from tests.whole.drills.lab import Lab
from tests.whole.drills.oracle import Bounds
from tests.whole.drills.stores import REDIS, SERVICE

WIPED = ("I4", "I5", "I6", "I13", "I15")
"""What cannot be had of a Redis that has forgotten everything: what waited, what was said already, the history."""

FAILOVER = 4.5
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


async def step_down_after_failover(lab: Lab) -> None:
    """Let the master step down to another as soon as Redis has failed over."""
    await fail_over(lab)
    await lab.step_down(lab.others(await lab.leader())[0])
    await lab.hear()


async def pause_briefly(lab: Lab) -> None:
    """Let Redis answer nobody for less than a renewal may wait in all."""
    lab.note("CLIENT PAUSE 700")
    lab.stores[lab.store_master()].ask("CLIENT", "PAUSE", 700)
    await lab.hear()


async def sleep_briefly(lab: Lab) -> None:
    """Let Redis be busy for a while, again and again."""
    store = lab.stores[lab.store_master()]
    for _ in range(5):
        lab.note("DEBUG SLEEP 0.3")
        store.ask("DEBUG", "SLEEP", "0.3")
        await lab.hear(3)


async def flush_scripts(lab: Lab) -> None:
    """Let Redis forget every script."""
    lab.note("SCRIPT FLUSH")
    lab.stores[lab.store_master()].ask("SCRIPT", "FLUSH")
    await lab.hear()


async def delete_lease(lab: Lab) -> None:
    """Delete the lease by hand."""
    lab.note("DEL lease")
    lab.stores[lab.store_master()].ask("DEL", lab.keys.of("lease"))
    await lab.hear(60)


async def flush_all(lab: Lab) -> None:
    """Delete everything."""
    lab.note("FLUSHALL")
    lab.stores[lab.store_master()].ask("FLUSHALL")
    await lab.hear()


async def fill_memory(lab: Lab) -> None:
    """Let Redis have no memory left for a while."""
    store = lab.stores[lab.store_master()]
    lab.note("maxmemory 1")
    store.ask("CONFIG", "SET", "maxmemory", 1)
    await trio.sleep(3.0)
    lab.note("maxmemory 0")
    store.ask("CONFIG", "SET", "maxmemory", 0)
    await lab.hear()


async def turn_replica(lab: Lab) -> None:
    """Make a replica of the Redis master without telling the Sentinels: it answers READONLY, until they put it right."""
    master = lab.store_master()
    other = lab.stores[lab.others(master)[0]]
    lab.note("REPLICAOF on the master")
    lab.stores[master].ask("REPLICAOF", other.address, REDIS)
    await lab.hear(within=60.0)


DRILLS = (
    Drill("redis-killed", 4, "", kill_master, Bounds(FAILOVER, terms=0)),
    Drill(
        "redis-restarted",
        4,
        "on its data; the Sentinels may be as quick",
        restart_master,
        Bounds(14.0),
    ),
    Drill(
        "redis-restarted-empty",
        4,
        "the replicas copy its emptiness: what waited is gone, only tokens and masters are sure",
        restart_master_empty,
        Bounds(15.0, forgives=WIPED),
    ),
    Drill("redis-frozen", 5, "", freeze_master, Bounds(FAILOVER, terms=0)),
    Drill("redis-failover", 6, "a planned one", fail_over, Bounds(3.0, terms=0)),
    Drill("redis-paused", 11, "no flapping", pause_briefly, Bounds(3.0, terms=0)),
    Drill("redis-busy", 11, "no flapping", sleep_briefly, Bounds(3.0, terms=0)),
    Drill("scripts-flushed", 14, "", flush_scripts, Bounds(3.0, terms=0)),
    Drill("lease-deleted", 14, "a write is refused", delete_lease, Bounds(3.0, terms=1)),
    Drill("all-flushed", 14, "nothing is known any more", flush_all, Bounds(15.0, forgives=WIPED)),
    Drill("redis-out-of-memory", 14, "", fill_memory, Bounds(5.5)),
    Drill("redis-read-only", 14, "", turn_replica, Bounds(45.0)),
    Drill("step-down-after-failover", 18, "", step_down_after_failover, Bounds(2.5, terms=1)),
)
