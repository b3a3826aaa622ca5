"""A master that comes back after its successor: the history then knows why its term ended."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from hachat.store.history import Unseen, read_history
from tests.waiting import until
from tests.whole.cluster import Cluster, run_cluster


async def find_end(cluster: Cluster, token: str) -> Unseen | None:
    """Return the end of a term that nobody saw, once another has followed."""
    terms = (await read_history(cluster.link, cluster.keys)).terms
    (end,) = (term.end for term in terms if term.token == token)
    assert end is None or isinstance(end, Unseen)
    return end


@pytest.mark.parametrize("cause", ["paused", "isolated"])
async def test_a_master_that_comes_back_tells_why_it_was_silent(cause: str, tmp_path: Path) -> None:
    """Whether it stood still or was cut off; until then it is told as silent, and the bounds stay."""
    async with run_cluster(tmp_path, nodes=("node-1", "node-2"), proxied=True) as cluster:
        token = (await cluster.link.command("GET", cluster.keys.of("lease"))).decode()
        name = token.partition("/")[0]
        process, proxy = cluster.daemons[name].process, cluster.proxies[name]
        if cause == "paused":
            process.send_signal(signal.SIGSTOP)
        else:
            proxy.hold()
        before = await until(lambda: find_end(cluster, token), 15.0)
        assert before.cause == "silent"

        process.send_signal(signal.SIGCONT)
        proxy.release()

        async def is_told() -> bool:
            end = await find_end(cluster, token)
            return end == Unseen(before.after, before.before, cause)

        await until(is_told, 15.0)
