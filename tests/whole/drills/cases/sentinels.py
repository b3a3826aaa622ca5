"""Sentinels that stand still, die, are reset and asked twice."""

from __future__ import annotations

from hachat.core.errors import StoreError
from tests.waiting import until
from tests.whole.drills.cases.redis import FAILOVER
from tests.whole.drills.drill import Drill
from tests.whole.drills.events import Sampled
from tests.whole.drills.lab import Lab
from tests.whole.drills.oracle import Bounds
from tests.whole.drills.stores import REDIS, SERVICE, TIMES


async def reset(lab: Lab) -> None:
    """Let every Sentinel forget what it knew of the others."""
    lab.note("SENTINEL RESET")
    for sentinel in lab.sentinels.values():
        sentinel.ask("SENTINEL", "RESET", SERVICE)
    await lab.hear(60)


async def forget(lab: Lab) -> None:
    """Let every Sentinel forget Redis, and be told of it anew, after a failover: their epochs begin again, and tokens go on."""
    await fail_over_once(lab)
    await lab.hear()
    master = lab.stores[lab.store_master()].address
    lab.note("SENTINEL REMOVE and MONITOR")
    for sentinel in lab.sentinels.values():
        sentinel.ask("SENTINEL", "REMOVE", SERVICE)
        sentinel.ask("SENTINEL", "MONITOR", SERVICE, master, REDIS, 2)
        for option in TIMES:
            sentinel.ask("SENTINEL", "SET", SERVICE, *option)
    await lab.hear(60)
    lab.note("step down")
    await lab.step_down(lab.others(await lab.leader())[0])
    await lab.hear()


async def fail_over_once(lab: Lab) -> None:
    """Ask for a planned failover, and return when it is done."""
    old = lab.store_master()
    await until(lambda: fail_over(lab), 20.0)
    await until(lambda: lab.store_master() not in {old, 0}, 15.0)


async def fail_over_twice(lab: Lab) -> None:
    """Ask for a planned failover, and for another as soon as a Sentinel takes it."""
    for _ in range(2):
        await fail_over_once(lab)
    await lab.hear()


def fail_over(lab: Lab) -> bool:
    """Ask for a planned failover, and tell whether a Sentinel took it."""
    for sentinel in lab.sentinels.values():
        try:
            sentinel.ask("SENTINEL", "FAILOVER", SERVICE)
        except StoreError:
            continue
        lab.note(f"SENTINEL FAILOVER by Sentinel {sentinel.number}")
        return True
    return False


async def freeze_first(lab: Lab) -> None:
    """Let the Sentinel that stands first in the settings stand still, and ask for a failover."""
    lab.note("SIGSTOP Sentinel 1")
    lab.sentinels[1].freeze()
    old = lab.store_master()
    lab.sentinels[2].ask("SENTINEL", "FAILOVER", SERVICE)
    await until(lambda: lab.store_master() != old, 15.0)
    await lab.hear()
    lab.sentinels[1].thaw()
    await lab.hear()


async def kill_one(lab: Lab) -> None:
    """Kill a Sentinel and then the Redis master: two can still agree."""
    old = lab.store_master()
    lab.note(f"kill -9 a Sentinel and Redis {old}")
    lab.sentinels[lab.others(old)[0]].kill()
    lab.stores[old].kill()
    await until(lambda: lab.store_master() != old, 20.0)
    await lab.hear()


async def kill_two(lab: Lab) -> None:
    """Kill two Sentinels: nothing fails over, and nothing needs to."""
    lab.note("kill -9 Sentinels 1 and 2")
    for number in (1, 2):
        lab.sentinels[number].kill()
    await lab.hear(60)


async def kill_two_and_master(lab: Lab) -> None:
    """Kill two Sentinels and the Redis master: nobody is master until one of the Sentinels is back."""
    old = lab.store_master()
    gone = lab.others(old)
    lab.note(f"kill -9 Sentinels {gone} and Redis {old}")
    for number in gone:
        lab.sentinels[number].kill()
    lab.stores[old].kill()
    await until(lambda: masters(lab) == 0, 10.0)
    lab.note(f"Sentinel {gone[0]} is back")
    lab.sentinels[gone[0]].start()
    await lab.hear(within=45.0)


def masters(lab: Lab) -> int:
    """Return how many nodes said just now that they are master."""
    last = {event.node: event.code for event in lab.events if isinstance(event, Sampled)}
    return sum(code == 200 for code in last.values())


DRILLS = (
    Drill("sentinels-reset", 6, "", reset, Bounds(3.0, terms=0)),
    Drill(
        "sentinels-forget",
        6,
        "who asks them then does not believe them for ten seconds, as they know of fewer failovers than it does",
        forget,
        Bounds(FAILOVER + 10.0, terms=1),
    ),
    Drill("redis-failover-twice", 6, "", fail_over_twice, Bounds(FAILOVER, terms=0)),
    Drill("first-sentinel-frozen", 7, "", freeze_first, Bounds(FAILOVER, terms=0)),
    Drill("sentinel-and-redis-killed", 7, "", kill_one, Bounds(FAILOVER + 0.5, terms=0)),
    Drill("two-sentinels-killed", 7, "", kill_two, Bounds(3.0, terms=0)),
    Drill("two-sentinels-and-redis-killed", 7, "", kill_two_and_master, Bounds(40.0)),
)
