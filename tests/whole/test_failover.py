"""Nodes are killed and step down under load: what people typed is answered once and in order all the same."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.whole.cluster import HASTY, Cluster, run_cluster
from tests.whole.oracle import Typist

RATE = 40.0
"""Lines a second."""


async def disturb(cluster: Cluster) -> None:
    """Do to a cluster what it is made for."""
    for _ in range(3):
        await cluster.hand_over()
    for _ in range(2):
        cluster.restart(await cluster.kill_worker())
        await cluster.wait_complete()
        await cluster.wait_recovered()
    cluster.restart(await cluster.kill_master())
    await cluster.wait_complete()


async def test_no_line_is_lost_or_answered_twice(tmp_path: Path) -> None:
    """Through hand-overs, dead workers and a dead master every line is answered once, in its room's order."""
    async with run_cluster(tmp_path, settings=HASTY) as cluster:
        typist = Typist(cluster)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(typist.type_for_ever, RATE)
            await disturb(cluster)
            nursery.cancel_scope.cancel()
        account = await typist.settle(within=15.0)
        status = await cluster.status()

    assert account.typed
    assert account.fine, account
    assert status.dead_letters == 0
