"""Questions, with processes that are killed: whoever lives goes on, and nothing is asked, taken or done twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from hachat.store.console import ConsoleClient
from hachat.store.keys import Keys
from hachat.store.lease import LeaseView
from hachat.store.link import Link
from hachat.store.sentinels import Sentinels
from tests.store.sentinels import SERVICE
from tests.store.sentinels import run_cluster as run_redis
from tests.waiting import until
from tests.whole.asking import FOLDER
from tests.whole.cluster import HASTY, Cluster, Daemon, run_cluster
from tests.whole.oracle import Typist

NODES = ("node-1", "node-2", "node-3")
SETTINGS = f"{HASTY}[chat.console]\n"
STEPS = ("begins", "asks", "goes on", "asks again", "ends")
TO, SURE = "Where to? (staging, production)", "Sure? (yes or no)"


@pytest.fixture
def deaths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a file for a step lets a process die there."""
    folder = tmp_path / "deaths"
    folder.mkdir()
    monkeypatch.setenv(FOLDER, str(folder))
    return folder


@pytest.fixture
async def cluster(tmp_path: Path, deaths: Path) -> AsyncIterator[Cluster]:
    """A whole cluster whose nodes ask."""
    async with run_cluster(
        tmp_path, nodes=NODES, settings=SETTINGS, handlers="tests.whole.asking"
    ) as whole:
        yield whole


async def say(cluster: Cluster, room: str, text: str) -> list[str]:
    """Type a line and return all that is said until it has been dealt with."""
    return await talk(ConsoleClient(cluster.link, cluster.keys, room, "anna"), text)


async def talk(client: ConsoleClient, text: str) -> list[str]:
    """Type a line and return all that is said until it has been dealt with."""
    with trio.fail_after(40.0):
        async with client.ask(text) as replies:
            return [reply async for reply in replies]


async def read(cluster: Cluster, room: str) -> list[str]:
    """Return all that has been said in a room."""
    posts = await Typist(cluster).read_posts(room)
    return [post.said.text for post in posts if post.said.kind == "say"]


async def restart_dead(cluster: Cluster) -> None:
    """Start the processes that have died, and wait until all is well."""
    for name, daemon in cluster.daemons.items():
        if daemon.process.poll() is not None:
            cluster.restart(name)
    await cluster.wait_complete()
    await cluster.wait_recovered()


@pytest.mark.parametrize("step", STEPS)
async def test_a_process_dies_at_any_step(step: str, cluster: Cluster, deaths: Path) -> None:
    """The dialog ends as if it had not, and each of its lines stands in the room once."""
    (deaths / f"web {step}").touch()

    assert await say(cluster, "ops", "hachat deploy web") == ["web it is", TO]
    assert await say(cluster, "ops", "production") == ["to production", SURE]
    assert await say(cluster, "ops", "yes") == ["deployed"]

    assert not any(deaths.iterdir()), "nobody died there"  # noqa: ASYNC240 - nothing else runs
    assert await read(cluster, "ops") == ["web it is", TO, "to production", SURE, "deployed"]


async def test_every_process_dies_while_a_question_is_open(cluster: Cluster) -> None:
    """All nodes are killed at once, and new ones take the answer; so does another master after the next question."""
    assert await say(cluster, "ops", "hachat deploy web") == ["web it is", TO]
    for daemon in cluster.daemons.values():
        daemon.kill()
    await restart_dead(cluster)
    assert await say(cluster, "ops", "production") == ["to production", SURE]
    await cluster.kill_master()
    assert await say(cluster, "ops", "yes") == ["deployed"]
    assert await read(cluster, "ops") == ["web it is", TO, "to production", SURE, "deployed"]


async def test_many_dialogs_while_nodes_are_killed(cluster: Cluster) -> None:
    """Each of many people gets each line of their dialog once, whoever dies meanwhile."""
    rooms = [f"room-{number}" for number in range(12)]

    async def deploy(room: str) -> None:
        await say(cluster, room, f"hachat deploy {room}")
        await say(cluster, room, "staging")
        await say(cluster, room, "yes")

    async with trio.open_nursery() as nursery:
        for room in rooms:
            nursery.start_soon(deploy, room)
        for _ in range(2):
            await cluster.kill_master()
            await restart_dead(cluster)
    for room in rooms:
        expected = [f"{room} it is", TO, "to staging", SURE, "deployed"]
        assert await read(cluster, room) == expected


async def test_a_question_lapses_after_its_node_was_killed(cluster: Cluster) -> None:
    """Who has asked is gone, and another node tells that nobody has answered: once."""
    assert await say(cluster, "ops", "hachat hurry") == ["Who?"]
    await cluster.kill_master()
    lapsed = 'No answer within 2 seconds about "hachat hurry", so nothing more was done.'

    async def has_lapsed() -> bool:
        return len(await read(cluster, "ops")) > 1

    await until(has_lapsed, 30.0)
    assert await read(cluster, "ops") == ["Who?", lapsed]
    (unknown,) = await say(cluster, "ops", "anna")
    assert unknown.startswith("I do not know")


async def test_redis_fails_over_while_a_question_is_open(deaths: Path, tmp_path: Path) -> None:
    """The question is open on the new master of Redis, and answered there."""
    keys = Keys("whole")
    with run_redis(tmp_path) as redis, ExitStack() as children:
        for name in NODES[:2]:
            write_settings(tmp_path, name, redis.addresses)
            daemon = Daemon(name, tmp_path / f"{name}.toml", tmp_path / f"{name}.log")
            daemon.start(children)
        link = Link(Sentinels(redis.addresses, SERVICE))
        async with trio.open_nursery() as nursery:
            await nursery.start(link.run)

            async def is_up() -> bool:
                return await LeaseView(link, keys).read_master() is not None

            await until(is_up, 30.0)
            client = ConsoleClient(link, keys, "ops", "anna")
            assert await talk(client, "hachat deploy web") == ["web it is", TO]
            redis.fail_over()
            assert await talk(client, "production") == ["to production", SURE]
            assert await talk(client, "yes") == ["deployed"]
            nursery.cancel_scope.cancel()


def write_settings(folder: Path, name: str, addresses: list[str]) -> None:
    """Write the settings of a node whose Redis is found through Sentinels."""
    named = ", ".join(f'"{address}"' for address in addresses)
    (folder / f"{name}.toml").write_text(
        f'cluster = "whole"\nnode = "{name}"\nhandlers = ["tests.whole.asking"]\n[redis]\n'
        f'sentinels = [{named}]\nservice = "{SERVICE}"\nreplicas = 1\n[web]\nport = 0\n[chat.console]\n'
    )
