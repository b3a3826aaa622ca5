"""A master that is shut out of its chat service, with real processes: whoever is still let in becomes master."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import trio

from hachat.chat.adapter import LAST_WAIT
from hachat.cluster.health import PATIENCE
from hachat.store.history import Returned, read_history
from tests.waiting import until
from tests.whole.cluster import HASTY, Cluster, run_cluster
from tests.whole.network import Network

LATEST = PATIENCE + 10.0
"""Seconds until a master that is shut out has acted."""


def on_network(port: int, node: str) -> str:
    """Return settings of a node that is called by its own name on the network."""
    return (
        f'[log]\nformat = "json"\n[chat.irc]\nhost = "127.0.0.1"\nport = {port}\n'
        f'nick = "{node}"\nchannels = ["#ops"]\n'
    )


async def ask(network: Network, within: float = 5.0) -> str:
    """Ask something in the channel, and return the name under which it is answered."""
    seen = len(network.record)
    network.say("#ops", "hachat: ping")
    answer = await until(
        lambda: next((one for one in network.record[seen:] if one.text == "pong"), None), within
    )
    name: str = answer.nick
    return name


async def master_of(cluster: Cluster) -> str:
    """Return who is master."""
    return (await cluster.status()).master or ""


def count_refusals(cluster: Cluster, node: str) -> int:
    """Return how often a node has found nobody to hand over to."""
    lines = cluster.daemons[node].log.read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines if line.startswith("{")]
    return events.count("stays master all the same")


async def test_a_master_that_is_shut_out_hands_over_and_the_last_one_stays(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    """The bot is answering again through the other node; where that is shut out too, it stays master until it is let in."""
    network = Network()
    await nursery.start(network.run)
    own = partial(on_network, network.port)
    nodes = ("node-1", "node-2")
    async with run_cluster(tmp_path, nodes=nodes, settings=HASTY, own=own) as cluster:
        first = await master_of(cluster)
        (second,) = set(nodes) - {first}
        assert await ask(network) == first

        network.ban(first)

        async def has_moved() -> bool:
            return await master_of(cluster) == second

        await until(has_moved, LATEST)
        assert await ask(network) == second
        ended = (await read_history(cluster.link, cluster.keys)).terms[1]
        assert isinstance(ended.end, Returned)
        assert (ended.node, ended.end.cause, ended.end.to) == (first, "unreachable", second)
        assert ended.end.reason == "irc: you are banned"

        network.ban(second)
        await until(lambda: count_refusals(cluster, second), LATEST)
        assert await master_of(cluster) == second
        network.pardon(second)
        assert await ask(network, LAST_WAIT) == second
        assert len((await read_history(cluster.link, cluster.keys)).terms) == 2
