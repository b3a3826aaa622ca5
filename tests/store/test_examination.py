"""Facts about Redis and its Sentinels, by asking real ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
import trio

from hachat.core.diagnosis import Replica
from hachat.store.embedded import Server, run_server
from hachat.store.examination import examine, read_server
from hachat.store.link import Direct, Link
from hachat.store.sentinel import Sentinels
from hachat.tasks.services import running
from tests.store.binaries import find_redis
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
    assert {each.down_after for each in facts.sentinels} == {1.0}
    assert {each.no_quorum for each in facts.sentinels} == {""}


async def test_sentinels_that_are_silent_are_named(tmp_path: Path) -> None:
    """Two of three frozen: they say nothing, soon, and the third that it could not fail over."""
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
