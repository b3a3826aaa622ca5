"""Wall clocks that jump by an hour, forwards and back, under Redis and under a master; monotonic clocks go on as they are."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import httpx

from tests.waiting import until
from tests.whole.drills.cases.nodes import is_back
from tests.whole.drills.cases.redis import FAILOVER, fail_over
from tests.whole.drills.clocks import Clock, lack_compiler
from tests.whole.drills.daemons import WEB
from tests.whole.drills.drill import Drill
from tests.whole.drills.lab import Lab
from tests.whole.drills.mending import mend
from tests.whole.drills.oracle import Bounds

HOUR = 3600

_NEAR = 60.0

Read = Callable[[], Awaitable[float]]


async def jump_store(lab: Lab) -> None:
    """Let the wall clock of the Redis master jump."""
    others = lab.others(lab.store_master())
    clocks = {number: Clock(lab.folder / f"clock-redis-{number}") for number in others}
    for number in others:
        store = lab.stores[number]
        store.before = clocks[number].command
        store.kill()
        store.start()
        store.before = ()
        await mend(lab)
    await fail_over(lab)
    number = lab.store_master()

    async def read() -> float:
        seconds, _ = lab.stores[number].ask("TIME")
        return float(seconds)

    await jump(lab, f"Redis {number}", clocks[number], read, HOUR, 0, -HOUR, 0)


async def jump_node_ahead(lab: Lab) -> None:
    """Let the wall clock of the master jump ahead, and back."""
    await jump_node(lab, HOUR, 0)


async def jump_node_back(lab: Lab) -> None:
    """Let the wall clock of the master jump back, and ahead."""
    await jump_node(lab, -HOUR, 0)


async def jump_node(lab: Lab, *jumps: int) -> None:
    """Let the wall clock of the master jump."""
    number = lab.others(await lab.leader())[0]
    daemon, clock = lab.daemons[number], Clock(lab.folder / f"clock-node-{number}")
    way = daemon.before
    daemon.before = [*way, *clock.command]
    await lab.leave(number)
    lab.start(number)
    daemon.before = way
    await until(lambda: is_back(lab, number), 20.0)
    await lab.lead(number)

    async def read() -> float:
        async with httpx.AsyncClient(trust_env=False) as client:
            said = await client.get(f"http://{lab.stores[number].address}:{WEB}/healthz")
        return float(said.headers["X-Hachat-Time"])

    await jump(lab, f"node {number}", clock, read, *jumps)


async def jump(lab: Lab, whose: str, clock: Clock, read: Read, *jumps: int) -> None:
    """Let a clock jump to being so many seconds ahead, one after the other, and people be answered after each."""
    for ahead in jumps:
        lab.note(f"the clock of {whose} is {ahead:+d} s ahead")
        clock.put(ahead)

        async def has_jumped() -> bool:
            return abs(await read() - time.time() - ahead) < _NEAR  # noqa: B023 - awaited here

        await until(has_jumped)
        await lab.hear(60)


DRILLS = (
    Drill(
        "redis-clock-jumps",
        13,
        "each time it jumps ahead the lease's key is gone, which ends the term in order; the history is told by this clock, and a"
        " stream's entries never go back",
        jump_store,
        Bounds(FAILOVER, terms=2, forgives=("I15",)),
        lacks=lack_compiler,
        alone=True,
    ),
    Drill("leader-clock-ahead", 13, "", jump_node_ahead, Bounds(2.5, terms=1), lacks=lack_compiler),
    Drill(
        "leader-clock-behind",
        13,
        "what it hears seems old to other nodes, which tell people that it came too late",
        jump_node_back,
        Bounds(2.5, terms=1, forgives=("I4",)),
        lacks=lack_compiler,
    ),
)
