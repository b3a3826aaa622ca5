"""The master is killed, and what systemd then runs makes another one master long before the lease would have run out."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from hachat.store.lease import LeaseView
from tests.waiting import until
from tests.whole.cluster import Cluster, run_cluster

TTL = 20.0
"""So long that nobody takes a lease for having run out while the test lasts."""

SETTINGS = f"""
[lease]
ttl = {TTL}
lock_delay = {TTL}
[worker]
heartbeat = 0.5
node_ttl = 60.0
"""


async def read_master(cluster: Cluster) -> str:
    """Return the token of the master, if there is one."""
    return str(await LeaseView(cluster.link, cluster.keys).read_master() or "")


async def read_terms(cluster: Cluster) -> list[dict[str, str]]:
    """Return what became of terms, oldest first."""
    entries = await cluster.link.command("XRANGE", cluster.keys.of("history"), "-", "+")
    texts = [[text.decode() for text in fields] for _, fields in entries]
    return [dict(zip(each[::2], each[1::2], strict=True)) for each in texts]


async def test_a_killed_master_is_replaced_at_once(tmp_path: Path) -> None:
    """Refused while it lives; then its lease is given back before another takes it, and it is missed before its time."""
    async with run_cluster(tmp_path, nodes=("node-1", "node-2"), settings=SETTINGS) as cluster:
        old = await read_master(cluster)
        name, boot, _ = old.split("/")
        daemon = cluster.daemons[name]

        async def is_succeeded() -> bool:
            return await read_master(cluster) not in {"", old}

        async def is_taken_over() -> bool:
            nodes = await cluster.link.command("ZRANGE", cluster.keys.of("nodes"), 0, -1)
            return f"{name}:{boot}".encode() not in nodes

        refused = await daemon.give_back()
        assert refused.returncode == 2, refused
        assert await read_master(cluster) == old

        killed_at = monotonic()
        daemon.kill()
        done = await daemon.give_back()
        assert done.returncode == 0, done
        await until(is_succeeded, TTL / 2)
        await until(is_taken_over, TTL / 2)
        assert monotonic() - killed_at < TTL

        new = await read_master(cluster)
        released, acquired = (await read_terms(cluster))[-2:]
        assert (released["event"], released["token"]) == ("released", old)
        assert released["reason"] == "crash signal"
        assert (acquired["token"], acquired["reason"]) == (new, "released")

        again = await daemon.give_back()  # an old token by now
        assert again.returncode == 0, again
        assert await read_master(cluster) == new


async def test_a_node_that_leaves_keeps_nothing_behind(tmp_path: Path) -> None:
    """It has given everything back itself, so there is nothing to do after it."""
    async with run_cluster(tmp_path, nodes=("node-1",)) as cluster:
        daemon = cluster.daemons["node-1"]
        # Each time it is written anew there is another beside it for an instant.
        await until(lambda: [file.name for file in daemon.runtime.iterdir()] == ["lease"])

        daemon.leave()

        assert list(daemon.runtime.iterdir()) == []
        done = await daemon.give_back()
        assert done.returncode == 0, done
