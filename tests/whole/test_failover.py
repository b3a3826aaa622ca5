"""Nodes are killed and step down under load: what people typed is answered once and in order all the same."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import trio

from hachat.store.console import ConsoleClient, find_room
from hachat.store.keys import GROUP
from tests.waiting import until
from tests.whole.cluster import HASTY, Cluster, run_cluster
from tests.whole.oracle import Typist

RATE = 40.0
"""Lines a second."""

JUST_NOW = 200
"""Milliseconds; a read that began no longer ago outlasts its node's lease of life."""


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


async def ask(cluster: Cluster, text: str, answers: list[str]) -> None:
    """Have somebody of its own type a line, alone with the bot, and note what is said to it."""
    user = text.rpartition(" ")[2]
    client = ConsoleClient(cluster.link, cluster.keys, find_room(user), user)
    with trio.fail_after(20):
        async with client.ask(text) as replies:
            answers += [reply async for reply in replies]


async def freeze_in_mid_read(cluster: Cluster, name: str) -> str:
    """Stop a node's process while it has been waiting for messages for a moment, and return its consumer once it is given up."""
    nodes = await cluster.link.command("ZRANGE", cluster.keys.of("nodes"), 0, -1)
    names: list[str] = [node.decode() for node in nodes]
    (consumer,) = [found for found in names if found.startswith(f"{name}:")]

    async def has_just_read() -> bool:
        # Whoever has read something reads on at once.
        await ask(cluster, "hachat echo 0", [])
        found = await cluster.link.command("XINFO", "CONSUMERS", cluster.keys.ready("chat"), GROUP)
        return any(
            facts[1].decode() == consumer and 0 <= facts[7] < JUST_NOW and not facts[3]
            for facts in found
        )

    async def is_given_up() -> bool:
        return await find_lease(cluster, consumer) is None

    await until(has_just_read, 10.0)
    cluster.daemons[name].process.send_signal(signal.SIGSTOP)
    await until(is_given_up, 10.0)
    return consumer


async def find_lease(cluster: Cluster, consumer: str) -> bytes | None:
    """Return when a node's lease of life ends, if it has one."""
    end: bytes | None = await cluster.link.command("ZSCORE", cluster.keys.of("nodes"), consumer)
    return end


async def holds_something(cluster: Cluster, consumer: str) -> bool:
    """Tell whether a node has a conversation, whether or not it knows."""
    ready = cluster.keys.ready("chat")
    return bool(await cluster.link.command("XPENDING", ready, GROUP, "-", "+", 1, consumer))


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


async def test_what_a_node_took_that_nobody_missed_is_answered(tmp_path: Path) -> None:
    """The read of a frozen node takes a message after the node was given up; killed, it takes nothing along."""
    async with run_cluster(tmp_path, nodes=("node-1", "node-2"), settings=HASTY) as cluster:
        name = next(node.name for node in (await cluster.status()).nodes if node.role == "standby")
        answers: list[str] = []
        consumer = await freeze_in_mid_read(cluster, name)
        is_taken = partial(holds_something, cluster, consumer)
        async with trio.open_nursery() as asking:
            for number in range(
                1, 3
            ):  # the first may go to the other node, whose next read then stands behind
                asking.start_soon(ask, cluster, f"hachat echo {number}", answers)
                await until(lambda: len(answers) == number or is_taken())  # noqa: B023 - awaited here
            assert await is_taken()
            assert await find_lease(cluster, consumer) is None
            cluster.daemons[name].kill()

    assert sorted(answers) == ["1", "2"]
