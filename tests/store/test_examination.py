"""Facts about Redis and its Sentinels, by asking real ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import redis
import trio

from hachat.core.diagnosis import diagnose
from hachat.core.facts import Replica
from hachat.core.redis_settings import RedisSettings
from hachat.core.settings import LeaseSettings
from hachat.store.embedded import Server, run_server
from hachat.store.examination import examine, read_server
from hachat.store.link import Direct, Link
from hachat.store.sentinels import Sentinels
from hachat.tasks.services import running
from tests.store.binaries import find_redis
from tests.store.pairs import confirming, run_pair
from tests.store.sentinels import SERVICE, Cluster, run_cluster
from tests.waiting import until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master, a replica and three Sentinels."""
    with run_cluster(tmp_path_factory.mktemp("examined"), min_replicas=1) as made:
        yield made


async def test_a_cluster_with_sentinels_tells_all(cluster: Cluster) -> None:
    """What was set up is what is found, and the clocks are the same."""
    link = Link(Sentinels(cluster.addresses, SERVICE), timeout=5.0)
    with trio.fail_after(20):
        async with running(link.run):
            facts = await examine(link)

    server = facts.server
    assert (server.min_replicas, server.max_lag) == (1, 2)
    assert [each.online for each in server.replicas] == [True]
    assert not server.append_only
    assert server.policy == "noeviction"
    assert abs(server.clock) < 5
    master = f"127.0.0.1:{cluster.servers[0].port}"
    found = {(each.fault, each.master, each.quorum, each.known) for each in facts.sentinels}
    assert found == {("", master, 2, 3)}
    assert {each.down_after for each in facts.sentinels} == {1.2}
    assert {each.no_quorum for each in facts.sentinels} == {""}


async def test_sentinels_that_are_silent_are_named(tmp_path: Path) -> None:
    """Two of three dead: they say nothing, and the third that it could not fail over."""
    with run_cluster(tmp_path) as cluster:
        source = Sentinels(cluster.addresses, SERVICE)
        for sentinel in cluster.sentinels[1:]:
            os.kill(sentinel.process.pid, signal.SIGKILL)
            sentinel.process.wait()

        async def look() -> bool:
            found = await source.inspect()
            silent = [each for each in found if each.fault]
            answering = [each for each in found if not each.fault]
            return len(silent) == 2 and bool(answering and "NOQUORUM" in answering[0].no_quorum)

        await until(look, 20.0)


async def test_what_is_frozen_delays_nobody(cluster: Cluster) -> None:
    """A Sentinel and a replica that stand still are told of within a second, as not answering."""
    link = Link(Sentinels(cluster.addresses, SERVICE), timeout=5.0)
    replica, sentinel = cluster.servers[1], cluster.sentinels[0]
    pids = [find_pid(replica), sentinel.process.pid]
    with trio.fail_after(20):
        async with running(link.run):
            await examine(link)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                began = trio.current_time()
                facts = await examine(link)
                took = trio.current_time() - began
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)

    assert took < 1
    assert [each.address for each in facts.sentinels if each.fault] == [sentinel.address]
    assert [bool(each.fault) for each in facts.server.replicas] == [True]


async def test_a_replica_tells_its_own_settings(cluster: Cluster) -> None:
    """They are not its master's, and neither is its user's password."""
    link = Link(Sentinels(cluster.addresses, SERVICE), timeout=5.0)
    with closing(redis.Redis(port=cluster.servers[1].port)) as raw, trio.fail_after(20):
        async with running(link.run):
            before = await examine_replica(link)
            raw.config_set("min-replicas-to-write", 0)
            raw.config_set("replica-priority", 0)
            changed = await examine_replica(link)
            raw.config_set("min-replicas-to-write", 1)
            raw.config_set("replica-priority", 100)
            raw.config_set("requirepass", "of its own")
            refusing = await examine_replica(link)
            with closing(redis.Redis(port=cluster.servers[1].port, password="of its own")) as known:
                known.config_set("requirepass", "")

    assert before.itself is not None
    assert changed.itself is not None
    assert (before.itself.min_replicas, before.itself.priority) == (1, 100)
    assert (changed.itself.min_replicas, changed.itself.priority) == (0, 0)
    assert before.itself.fsync == "everysec"
    assert abs(before.itself.clock) < 5
    assert (refusing.itself, "login" in refusing.refusal) == (None, True)


async def test_a_quorum_that_was_lowered_is_seen(cluster: Cluster) -> None:
    """One Sentinel of three that would do it alone."""
    link = Link(Sentinels(cluster.addresses, SERVICE), timeout=5.0)
    cluster.tell("SET", SERVICE, "quorum", "1")
    try:
        with trio.fail_after(20):
            async with running(link.run):
                facts = await examine(link)
    finally:
        cluster.tell("SET", SERVICE, "quorum", "2")
    assert sorted(each.quorum for each in facts.sentinels) == [1, 2, 2]


async def test_a_look_is_cheap(tmp_path: Path) -> None:
    """With one every 30 s, no server is asked more than a command every three seconds by each node."""
    async with run_pair(tmp_path) as pair, confirming(pair.master) as link:
        await examine(link)
        with ExitStack() as stack:
            clients = [
                stack.enter_context(closing(redis.Redis(port=server.port)))
                for server in (pair.master, pair.replica)
            ]
            before = [count_commands(client) for client in clients]
            await examine(link)
            counts = [
                count_commands(client) - known
                for client, known in zip(clients, before, strict=True)
            ]
    assert all(4 < count < 10 for count in counts), counts


async def examine_replica(link: Link) -> Replica:
    """Return what is found of the only replica."""
    (replica,) = (await examine(link)).server.replicas
    return replica


def find_pid(server: Server) -> int:
    """Return a server's process id."""
    with closing(redis.Redis(port=server.port)) as raw:
        info: Any = raw.info("server")
        return int(info["process_id"])


def count_commands(client: redis.Redis) -> int:
    """Return how many commands a server has been asked, but for what master and replica say to each other."""
    stats: Any = client.info("commandstats")
    return sum(
        stats[name]["calls"] for name in stats if name not in {"cmdstat_ping", "cmdstat_replconf"}
    )


@pytest.mark.parametrize("rename", [True, False])
async def test_a_redis_that_hides_its_configuration(tmp_path: Path, *, rename: bool) -> None:
    """CONFIG renamed away, or not allowed for our user: not known, and no error."""
    hidden = ["--rename-command", "CONFIG", ""] if rename else []
    with run_server(tmp_path, binary=find_redis(), options=hidden) as server:
        user = {}
        if not rename:
            with closing(redis.Redis(port=server.port)) as raw:
                rights = ["on", ">pw", "~*", "&*", "+@all", "-config"]
                raw.execute_command("ACL", "SETUSER", "low", *rights)  # type: ignore[no-untyped-call]
            user = {"username": "low", "password": "pw"}
        link = Link(Direct(f"redis://127.0.0.1:{server.port}", **user))
        with trio.fail_after(10):
            async with running(link.run):
                facts = await examine(link)
    assert (facts.server.min_replicas, facts.server.max_lag) == (None, None)
    assert facts.server.product == "Redis"


async def test_the_embedded_server_is_known(link: Link, server: Server) -> None:
    """Valkey tells its own version, which is not the one of Redis that it is compatible with."""
    facts = await examine(link)
    assert (facts.server.product, facts.sentinels) == ("Valkey", ())
    assert facts.server.version >= (8,)


def test_without_the_right_to_ask_info_tells_that_replicas_are_wanted() -> None:
    """Its line on good replicas stands there only where the setting is in force."""
    info = "redis_version:7.0.15\nmin_slaves_good_slaves:1\nslave0:ip=h,port=1,state=online,offset=5,lag=1\n"
    server = read_server(info, None, clock=0.0)
    assert server.min_replicas == 1
    assert server.replicas == [Replica("h:1", online=True, lag=1)]


async def test_who_may_not_ask_for_the_quorum_does_not_cry_wolf(tmp_path: Path) -> None:
    """A Sentinel that does not let us ask CKQUORUM may well have a quorum."""
    with run_cluster(tmp_path, min_replicas=1) as cluster:
        for sentinel in cluster.sentinels:
            with closing(redis.Redis(port=sentinel.port)) as raw:
                rights = ["on", ">pw", "&*", "+@all", "-sentinel|ckquorum"]
                raw.execute_command("ACL", "SETUSER", "low", *rights)  # type: ignore[no-untyped-call]
        source = Sentinels(
            cluster.addresses, SERVICE, sentinel_username="low", sentinel_password="pw"
        )
        link = Link(source, timeout=5.0)
        with trio.fail_after(20):
            async with running(link.run):
                facts = await examine(link)
    found = {each.check: each for each in diagnose(facts, RedisSettings(), LeaseSettings())}
    assert found["quorum"].verdict == "unknown"
    assert "CKQUORUM" in found["quorum"].advice


async def test_a_lag_of_0_protects_nothing(tmp_path: Path) -> None:
    """What is said of it is what Redis does: it acknowledges, though there is no replica."""
    options = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "0"]
    with run_server(tmp_path, binary=find_redis(), options=options) as server:
        link = Link(Direct(server.url))
        async with running(link.run):
            assert await link.command("SET", "x", "1") == b"OK"
            facts = await examine(link)
    settings = RedisSettings(replicas=1)
    found = {each.check: each for each in diagnose(facts, settings, LeaseSettings())}
    assert found["old master"].verdict == "UNSAFE"


def test_what_is_not_told_is_not_taken_for_well() -> None:
    """A managed Redis that leaves lines out of INFO gets no good marks for them."""
    server = read_server("redis_version:7.0.15\n", None, clock=0.0)
    assert (server.append_only, server.policy, server.fsync) == (None, "", "")
