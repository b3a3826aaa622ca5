"""How long `hachat release` takes, from its start to its end, where a killed master has left its lease."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from tests.whole.cluster import run_cluster

KILLS = 20


async def measure_releases(directory: Path) -> Sequence[float]:
    """Kill the master again and again, and return the seconds that giving back took each time."""
    seconds: list[float] = []
    async with run_cluster(directory) as cluster:
        for _ in range(KILLS):
            await cluster.wait_complete(within=30.0)
            name = await cluster.kill_master()
            began = perf_counter()
            done = await cluster.daemons[name].give_back()
            seconds.append(perf_counter() - began)
            assert done.returncode == 0, done
            assert b"gave back the lease" in done.stdout, done
            cluster.restart(name)
    return seconds
