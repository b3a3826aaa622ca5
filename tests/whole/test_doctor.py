"""`hachat doctor` beside a cluster that works."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from hachat.core.facts import Rights
from hachat.store.rights import find_rights
from tests.whole.cluster import Cluster, run_cluster


@asynccontextmanager
async def frozen(cluster: Cluster) -> AsyncIterator[None]:
    """Let every daemon stand still for the length of the block."""
    for daemon in cluster.daemons.values():
        daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for daemon in cluster.daemons.values():
            daemon.process.send_signal(signal.SIGCONT)


async def dump(cluster: Cluster) -> dict[bytes, bytes]:
    """Return every key of the server, byte for byte."""
    names = sorted(await cluster.link.command("KEYS", "*"))
    return {name: await cluster.link.command("DUMP", name) for name in names}


async def test_a_running_cluster_is_not_disturbed(tmp_path: Path) -> None:
    """Its keys are as they were, to the byte, and the master goes on in its term."""
    async with run_cluster(tmp_path, nodes=("node-1", "node-2")) as cluster:
        token = await cluster.link.command("GET", cluster.keys.of("lease"))
        async with frozen(cluster):
            before = await dump(cluster)
            assert await find_rights(cluster.link, cluster.keys) == Rights()
            assert await dump(cluster) == before
        assert cluster.keys.of("lease").encode() in before

        config = str(cluster.daemons["node-1"].file)
        done = await trio.run_process(
            [sys.executable, "-m", "hachat", "doctor", "--json", "--config", config],
            capture_stdout=True,
            check=False,
        )

        assert done.returncode == 0, done.stdout
        assert await cluster.link.command("GET", cluster.keys.of("lease")) == token
