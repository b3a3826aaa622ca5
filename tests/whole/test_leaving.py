"""A node that is told to leave leaves in time, whatever its handlers and its Redis do, and hands back what is unfinished."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import trio

from hachat.core.messages import Inbound, Message, Room, User, Webhook
from hachat.core.settings import QueueSettings
from hachat.daemon.configuration import load
from hachat.daemon.leaving import OVERDUE, longest_leave
from hachat.store.inbound import Inbound as Queue
from hachat.store.keys import GROUP
from tests.waiting import until
from tests.whole.cluster import HASTY, Cluster, Daemon, run_cluster
from tests.whole.hanging import ILL

WELL = "node-2"
HANDLERS = "tests.whole.hanging"
GRACE = 1.0

SLOW_TO_MISS = f"[worker]\ngrace = {GRACE}\nnode_ttl = 60.0\n"
"""Settings under which only what is handed back is handled by another node within a minute."""


def make(way: str) -> Inbound:
    """Return what makes a handler hang in one way; its id is the way."""
    if way == "sleep":
        return Message(way, Room("console", "ops"), User("ada"), "hachat hang", time.time())
    return Webhook(way, f"hang.{way}", "POST", f"/hooks/{way}", time.time())


async def enqueue(cluster: Cluster, *ways: str) -> None:
    """Queue what makes handlers hang."""
    queue = Queue(cluster.link, cluster.keys, "test:1", QueueSettings())
    for value in map(make, ways):
        await queue.enqueue(value, "chat" if isinstance(value, Message) else "work")


def find(daemon: Daemon, event: str) -> set[str]:
    """Return of which messages a daemon has logged `event`."""
    lines = map(json.loads, daemon.log.read_text().splitlines())
    return {line.get("message", "") for line in lines if line["event"] == event}


async def occupy(cluster: Cluster, *ways: str) -> None:
    """Have handlers hang on one node, and another node join it then."""
    await trio.to_thread.run_sync(cluster.daemons[WELL].leave)
    await enqueue(cluster, *ways)
    await until(lambda: find(cluster.daemons[ILL], "begun") == set(ways), 10.0)
    cluster.restart(WELL)
    await cluster.wait_complete()


async def leave(daemon: Daemon) -> tuple[int, float]:
    """Ask a node to leave, and return its exit code and the share it took of the time that it may take at most."""
    began = trio.current_time()
    daemon.process.send_signal(signal.SIGTERM)
    limit = longest_leave(load(daemon.file, {}))
    code = await until(lambda: daemon.process.poll() is not None, limit + 5.0)
    assert code
    return daemon.process.returncode, (trio.current_time() - began) / limit


async def test_what_hangs_is_handed_back_at_once_and_uncounted(tmp_path: Path) -> None:
    """When the grace is over another node has it, whether it was a task or a thread, and no death is counted."""
    async with run_cluster(
        tmp_path, nodes=(ILL, WELL), settings=SLOW_TO_MISS, handlers=HANDLERS
    ) as cluster:
        await occupy(cluster, "sleep", "thread")
        began = trio.current_time()

        code, share = await leave(cluster.daemons[ILL])
        await until(lambda: find(cluster.daemons[WELL], "done") == {"sleep", "thread"})

        assert GRACE <= trio.current_time() - began < GRACE + 3.0
        assert (code, share < 1.0) == (0, True)
        assert await cluster.link.command("EXISTS", cluster.keys.of("deaths")) == 0
        assert [node.name for node in (await cluster.status()).nodes] == [WELL]


async def test_what_cannot_be_cancelled_is_left_behind(tmp_path: Path) -> None:
    """A handler that shields itself from its end keeps neither its message nor others, nor the process."""
    ways = {"sleep", "thread", "shield"}
    async with run_cluster(
        tmp_path, nodes=(ILL, WELL), settings=SLOW_TO_MISS, handlers=HANDLERS
    ) as cluster:
        await occupy(cluster, *ways)

        code, share = await leave(cluster.daemons[ILL])
        await until(lambda: find(cluster.daemons[WELL], "done") == ways)

        assert (code, share < 1.0) == (OVERDUE, True)
        assert find(cluster.daemons[ILL], "something did not end although it was cancelled")
        assert await cluster.link.command("EXISTS", cluster.keys.of("deaths")) == 0
        assert [node.name for node in (await cluster.status()).nodes] == [WELL]


async def test_a_silent_redis_holds_nobody(tmp_path: Path) -> None:
    """Where nothing can be handed back and no lease given back, the node leaves in time all the same."""
    async with run_cluster(
        tmp_path, nodes=(ILL, WELL), settings=SLOW_TO_MISS, handlers=HANDLERS
    ) as cluster:
        await occupy(cluster, "sleep", "thread")
        cluster.server.process.send_signal(signal.SIGSTOP)
        try:
            code, share = await leave(cluster.daemons[ILL])
        finally:
            cluster.server.process.send_signal(signal.SIGCONT)

        assert (code, share < 1.0) == (0, True)


async def test_a_node_that_leaves_takes_over_nothing(tmp_path: Path) -> None:
    """What a dead node had is not taken by one that waits for its last handlers, but by whoever comes to handle it."""
    settings = f"{HASTY}grace = 15.0\n"
    async with run_cluster(
        tmp_path, nodes=(ILL, WELL), settings=settings, handlers=HANDLERS
    ) as cluster:
        ill, well = cluster.daemons[ILL], cluster.daemons[WELL]
        await trio.to_thread.run_sync(well.leave)
        await enqueue(cluster, "thread")
        await until(lambda: find(ill, "begun"))
        ill.process.send_signal(signal.SIGTERM)
        await wait_until_it_takes_nothing(cluster)
        await enqueue(cluster, "sleep")
        await die_with_one(cluster)
        await wait_for_beats(cluster, ILL)

        cluster.restart(WELL)
        await until(lambda: find(well, "done") == {"sleep"}, 10.0)

        assert ill.process.poll() is None
        assert not find(ill, "took over conversations")


async def wait_until_it_takes_nothing(cluster: Cluster) -> None:
    """Return when nobody reads the chat lane: a node that leaves a lane gives up its place among the readers."""
    ready = cluster.keys.ready("chat")

    async def is_left() -> bool:
        return not await cluster.link.command("XINFO", "CONSUMERS", ready, GROUP)

    await until(is_left)


async def die_with_one(cluster: Cluster) -> None:
    """Be a node that dies with a conversation in hand."""
    queue = Queue(cluster.link, cluster.keys, "dead:1", QueueSettings())

    async def take() -> int:
        _, taken = await queue.turn("chat", [], 1)
        return len(taken)

    await until(take)  # whoever leaves may have been given it, and then hands it back
    await cluster.link.command("ZADD", cluster.keys.of("nodes"), 1, "dead:1")


async def wait_for_beats(cluster: Cluster, name: str) -> None:
    """Return when a node has heard twice who is gone."""
    consumers = await cluster.link.command("ZRANGE", cluster.keys.of("nodes"), 0, -1)
    (consumer,) = [one for one in consumers if one.startswith(name.encode())]

    seen: set[bytes] = set()

    async def has_beaten() -> bool:
        seen.add(await cluster.link.command("ZSCORE", cluster.keys.of("nodes"), consumer))
        return len(seen) > 2

    await until(has_beaten, 10.0)
