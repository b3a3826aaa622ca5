"""Cables that are pulled and roads that are blocked."""

from __future__ import annotations

from tests.waiting import until
from tests.whole.drills.drill import Drill
from tests.whole.drills.lab import Lab
from tests.whole.drills.oracle import Bounds


async def cut_leader_off(lab: Lab) -> None:
    """Pull the cable of the master's server, on which Redis is a replica."""
    leader = lab.others(lab.store_master())[0]
    await lab.lead(leader)
    lab.note(f"the cable of server {leader} is pulled")
    lab.cable.unplug(leader)
    await lab.hear()
    lab.note("healed")
    lab.cable.heal()
    await lab.hear()


async def cut_leader_from_redis(lab: Lab) -> None:
    """Block the road between the master and the server of the Redis master."""
    store = lab.store_master()
    leader = lab.others(store)[0]
    await lab.lead(leader)
    lab.note(f"server {leader} cannot reach server {store}")
    lab.cable.part(leader, store)
    await lab.hear()
    lab.cable.heal()


async def cut_leader_and_store_off(lab: Lab) -> None:
    """Pull the cable of the server on which both the master and the Redis master are."""
    store = lab.store_master()
    await lab.lead(store)
    lab.note(f"the cable of server {store} is pulled")
    lab.cable.unplug(store)
    await until(lambda: lab.store_master() != store, 15.0)
    await lab.hear()
    lab.note("healed")
    lab.cable.heal()
    await lab.hear(40)


DRILLS = (
    Drill("leader-cut-off", 8, "", cut_leader_off, Bounds(6.0), cuts=True),
    Drill("leader-cut-from-redis", 8, "", cut_leader_from_redis, Bounds(6.0), cuts=True),
    Drill("leader-and-redis-cut-off", 9, "", cut_leader_and_store_off, Bounds(14.0), cuts=True),
)
