"""How long a cluster of three daemons is without a master, and whether anything gets lost meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic

import trio

from tests.waiting import until
from tests.whole.cluster import HASTY, Cluster, run_cluster
from tests.whole.oracle import Account, Typist

HAND_OVERS = 20
WORKER_KILLS = 10
MASTER_KILLS = 3

_SETTLED = 15.0
"""Seconds after which what is not answered counts as lost."""

_PAUSE = 0.5
"""Seconds around a hand-over in which masters say what the gap is measured by."""


@dataclass(frozen=True)
class Gaps:
    """Seconds of each hand-over: nobody held the lease, nobody was answered; and what came of the lines."""

    lease: Sequence[float]
    answers: Sequence[float]
    spacing: float
    account: Account


@dataclass(frozen=True)
class Kills:
    """What came of the lines typed while nodes were killed, and how many messages were handled anew."""

    kills: int
    seconds: float
    account: Account


async def measure_hand_overs(directory: Path) -> Gaps:
    """Let the master step down again and again while 20 lines a second are typed."""

    async def hand_over(cluster: Cluster) -> None:
        for _ in range(HAND_OVERS):
            await trio.sleep(_PAUSE)
            await cluster.hand_over()
        await trio.sleep(_PAUSE)

    async with run_cluster(directory) as cluster:
        typist = Typist(cluster)
        account = await _type_through(typist, 20.0, hand_over)
        terms = await _read_terms(cluster)
        said = sorted([post.at for room in typist.lines for post in await typist.read_posts(room)])
    gaps = list(zip(terms["released"], terms["acquired"][1:], strict=False))
    return Gaps(
        [begin - end for end, begin in gaps],
        [_silence(said, end, begin) for end, begin in gaps],
        1 / 20.0,
        account,
    )


async def measure_worker_kills(directory: Path) -> Kills:
    """Kill standbys that have a message in hand while 50 lines a second are typed."""

    async def kill(cluster: Cluster) -> None:
        for _ in range(WORKER_KILLS):
            cluster.restart(await cluster.kill_worker())
            await cluster.wait_complete()
            await cluster.wait_recovered()

    async with run_cluster(directory, settings=HASTY) as cluster:
        began = monotonic()
        account = await _type_through(Typist(cluster), 50.0, kill)
        return Kills(WORKER_KILLS, monotonic() - began, account)


async def measure_master_kills(directory: Path) -> Sequence[float]:
    """Kill the master and return the seconds until the line typed next was answered, for each time."""
    async with run_cluster(directory) as cluster:
        typist = Typist(cluster)
        return [await _kill_master(cluster, typist, number) for number in range(MASTER_KILLS)]


async def _kill_master(cluster: Cluster, typist: Typist, number: int) -> float:
    await cluster.wait_complete(within=30.0)
    room = f"room-{number}"
    name = await cluster.kill_master()
    killed = monotonic()
    await typist.type(room, number)
    await until(lambda: typist.read_posts(room), 30.0)
    silence = monotonic() - killed
    cluster.restart(name)
    return silence


async def _type_through(
    typist: Typist, rate: float, act: Callable[[Cluster], Awaitable[None]]
) -> Account:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(typist.type_for_ever, rate)
        await act(typist.cluster)
        nursery.cancel_scope.cancel()
    return await typist.settle(_SETTLED)


async def _read_terms(cluster: Cluster) -> dict[str, list[float]]:
    """Return when terms began and ended, Unix seconds by Redis's clock."""
    entries = await cluster.link.command("XRANGE", cluster.keys.of("history"), "-", "+")
    terms: dict[str, list[float]] = {"acquired": [], "released": []}
    for entry, fields in entries:
        kind = fields[1].decode()
        terms[kind].append(int(entry.partition(b"-")[0]) / 1000)
    return terms


def _silence(said: Sequence[float], end: float, begin: float) -> float:
    """Return the seconds between the last word of one master and the first of the next."""
    return min(at for at in said if at >= begin) - max(at for at in said if at <= end)


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return median(values)
