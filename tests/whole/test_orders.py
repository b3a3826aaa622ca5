"""Operators' orders and misbehaving nodes, with daemons that are processes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from hachat.cluster.orders import Orders
from hachat.core.errors import UsageError
from hachat.core.messages import Message, Room, User
from hachat.core.settings import QueueSettings
from hachat.store.history import read_history
from hachat.store.inbound import Inbound as Queue
from hachat.store.keys import GROUP
from tests.waiting import until
from tests.whole.cluster import HASTY, Cluster, Daemon, run_cluster

TTL = 2.0

SETTINGS = f"""{HASTY}
[lease]
ttl = {TTL}
renew = 0.4
op_timeout = 0.2
margin = 0.2
send_timeout = 0.8
lock_delay = {TTL}
"""

TWO = ("node-1", "node-2")


def find(daemon: Daemon, event: str) -> list[dict[str, Any]]:
    """Return what a daemon has logged of `event`."""
    lines = map(json.loads, filter(None, daemon.log.read_text().splitlines()))
    return [line for line in lines if line["event"] == event]


async def ask(cluster: Cluster, text: str, rooms: int = 20) -> None:
    """Say the same in many rooms, so that every node has something to handle."""
    queue = Queue(cluster.link, cluster.keys, "test:1", QueueSettings())
    for number in range(rooms):
        room = Room("console", f"room-{number}")
        message = Message(f"{text} {number} {time.time()}", room, User("ada"), text, time.time())
        await queue.enqueue(message, "chat")


async def read_master(cluster: Cluster) -> str:
    """Return who is master, if anybody is."""
    return (await cluster.status()).master or ""


async def readers(cluster: Cluster) -> set[str]:
    """Return the nodes that read people's messages."""
    consumers = await cluster.link.command("XINFO", "CONSUMERS", cluster.keys.ready("chat"), GROUP)
    return {consumer[1].decode().partition(":")[0] for consumer in consumers}


async def test_a_drained_master_hands_over_and_works_no_more(tmp_path: Path) -> None:
    """Another is master when the order returns; the node reads nothing, also when started anew, until it is undrained."""
    async with run_cluster(tmp_path, nodes=TWO, settings=SETTINGS) as cluster:
        orders = Orders(cluster.link, cluster.keys)
        old = await read_master(cluster)
        (other,) = set(TWO) - {old}

        done = await orders.drain(old, by="ada", reason="disk")

        async def reads_alone() -> bool:
            return await readers(cluster) == {other}

        assert (done.was_master, done.master) == (True, other)
        term = (await read_history(cluster.link, cluster.keys)).terms[1]
        assert getattr(term.end, "reason", "") == "drained: disk"
        await until(reads_alone, 10.0)
        with pytest.raises(UsageError, match="nobody could take over"):
            await orders.drain(other, by="ada")

        await trio.to_thread.run_sync(cluster.daemons[old].leave)
        cluster.restart(old)
        await cluster.wait_complete()
        await until(
            lambda: len(find(cluster.daemons[old], "drained: this node takes no new work")) == 2
        )
        await ask(cluster, "hachat ping")
        await until(lambda: _is_empty(cluster), 10.0)
        assert await readers(cluster) == {other}

        assert await orders.undrain(old)

        async def both_read() -> bool:
            return await readers(cluster) == set(TWO)

        await until(both_read, 10.0)
        await orders.drain(other, by="ada")
        assert await read_master(cluster) == old


async def _is_empty(cluster: Cluster) -> bool:
    return (await cluster.status()).inbound["chat"].depth == 0


async def test_in_a_pause_a_killed_master_is_not_replaced(tmp_path: Path) -> None:
    """Nobody is master well after its ttl; its own next process may be, and once resumed anybody at once."""
    async with run_cluster(tmp_path, nodes=TWO, settings=SETTINGS) as cluster:
        orders = Orders(cluster.link, cluster.keys)
        await orders.pause(by="ada")
        old = await cluster.kill_master()
        (other,) = set(TWO) - {old}
        gone_for = trio.current_time() + 2 * TTL

        async def is_vacant_and_late() -> bool:
            assert await read_master(cluster) != other
            return trio.current_time() > gone_for and not await read_master(cluster)

        await until(is_vacant_and_late, 10 * TTL)
        cluster.restart(old)
        await cluster.wait_complete()
        assert await read_master(cluster) == old

        await trio.to_thread.run_sync(cluster.daemons[old].leave)
        assert find(cluster.daemons[old], PAUSED)
        assert not await read_master(cluster)
        began = trio.current_time()
        await orders.resume()
        await until(lambda: read_master(cluster))
        assert trio.current_time() - began < TTL / 2


PAUSED = "elections are paused: nobody is master until this node is back or they are resumed"


async def test_a_better_node_is_the_heir(tmp_path: Path) -> None:
    """Who leaves hands over to the highest priority; it does not take over by itself when it comes."""
    async with run_cluster(tmp_path, nodes=("node-1", "node-2"), settings=SETTINGS) as cluster:
        best = cluster.daemons["node-2"]
        old = await read_master(cluster)
        if old == "node-2":
            await cluster.hand_over()
        await trio.to_thread.run_sync(best.leave)
        text = best.file.read_text().replace("[lease]", "[lease]\npriority = 200")
        best.file.write_text(text)
        cluster.restart("node-2")
        await cluster.wait_complete()
        assert await read_master(cluster) == "node-1"

        await trio.to_thread.run_sync(cluster.daemons["node-1"].leave)

        await until(lambda: read_master(cluster))
        (line,) = find(cluster.daemons["node-1"], "the term is over")[-1:]
        assert (line["to"], await read_master(cluster)) == ("node-2", "node-2")


async def test_a_blocked_loop_loses_the_lease(tmp_path: Path) -> None:
    """Another is master within ttl + 0.5 s, the heartbeat stops meanwhile, and the node comes back as a standby, with the place in its log."""
    async with run_cluster(
        tmp_path, nodes=TWO, settings=SETTINGS, handlers="tests.whole.blocking"
    ) as cluster:
        old = await read_master(cluster)
        (other,) = set(TWO) - {old}
        daemon = cluster.daemons[old]

        await ask(cluster, f"hachat block {old} {4 * TTL:g}")
        await until(lambda: find(daemon, "blocking"), 10.0)
        began = trio.current_time()

        async def is_replaced() -> bool:
            return await read_master(cluster) == other

        async def is_dead() -> bool:
            return old not in await cluster.alive()

        async def is_back() -> bool:
            nodes = (await cluster.status()).nodes
            return {node.name: node.role for node in nodes} == {old: "standby", other: "master"}

        await until(is_replaced, 3 * TTL)
        assert trio.current_time() - began < TTL + 0.5
        await until(is_dead, 2 * TTL)
        await until(is_back, 8 * TTL)
        (stall,) = find(daemon, "the loop is blocked")
        assert "Blocking.block" in stall["stack"][0]


async def test_a_thread_that_spins_costs_no_term(tmp_path: Path) -> None:
    """A plain function that never rests shares the interpreter: renewals come through, and the heartbeat too."""
    async with run_cluster(
        tmp_path, nodes=TWO, settings=SETTINGS, handlers="tests.whole.blocking"
    ) as cluster:
        before = await cluster.status()
        daemon = cluster.daemons[before.master or ""]

        await ask(cluster, f"hachat spin {daemon.name} {3 * TTL:g}")
        await until(lambda: find(daemon, "spinning"), 10.0)

        async def is_over() -> bool:
            assert daemon.name in await cluster.alive()
            return bool(find(daemon, "spun"))

        await until(is_over, 6 * TTL)
        after = await cluster.status()
        assert (after.master, after.epoch) == (before.master, before.epoch)
