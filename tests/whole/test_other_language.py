"""A worker in another language on the queue, as docs/wire.md describes it and examples/worker.rb does it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from subprocess import Popen

import pytest
import trio

from hachat.store.console import ConsoleClient
from hachat.store.embedded import run_child
from tests.waiting import until
from tests.whole.cluster import Cluster, run_cluster

ROOT = Path(__file__).parents[2]
LEFT_TO_OTHERS = "[worker]\nchat_slots = 0\n"

StartWorker = Callable[[Cluster, str], Popen[bytes]]


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Return what starts a worker under a name; all of them end with the test."""
    ruby = shutil.which("ruby")
    if ruby is None and "CI" in os.environ:
        pytest.fail("ruby is missing; .ci/run installs it")
    if ruby is None:
        pytest.skip("ruby is not installed")
    with ExitStack() as children:

        def start(cluster: Cluster, name: str) -> Popen[bytes]:
            scripts = str(files("hachat.store.scripts"))
            server = (cluster.server.host, str(cluster.server.port))
            arguments = [*server, cluster.keys.cluster, name, scripts]
            command = [ruby, str(ROOT / "examples" / "worker.rb"), *arguments]
            return children.enter_context(run_child(command, output=tmp_path / f"{name}.log"))

        yield start


async def ask(cluster: Cluster, text: str) -> list[str]:
    """Type a line and return what is said to it."""
    client = ConsoleClient(cluster.link, cluster.keys, "room", "anna")
    with trio.fail_after(20):
        async with client.ask(text) as replies:
            return [reply async for reply in replies]


async def test_a_worker_in_ruby_answers_and_takes_over(
    tmp_path: Path, start_worker: StartWorker
) -> None:
    """It answers what the daemons leave to it; killed in mid-message, another one has it; asked to leave, it says goodbye."""
    async with run_cluster(tmp_path, nodes=("node-1",), settings=LEFT_TO_OTHERS) as cluster:
        first = start_worker(cluster, "ruby-1")
        assert await ask(cluster, "hachat ruby hallo ü") == ["ruby heard: hallo ü"]
        assert await ask(cluster, "good morning") == []

        client = ConsoleClient(cluster.link, cluster.keys, "other", "anna")
        await client.say("hachat slow")
        await until(lambda: _has_in_hand(cluster, "ruby-1"))
        first.send_signal(signal.SIGKILL)
        second = start_worker(cluster, "ruby-2")
        assert await ask(cluster, "hachat ruby again") == ["ruby heard: again"]
        await until(lambda: _has_in_hand(cluster, "ruby-2"), 25.0)

        second.send_signal(signal.SIGKILL)
        third = start_worker(cluster, "ruby-3")
        assert await ask(cluster, "hachat ruby still") == ["ruby heard: still"]
        third.send_signal(signal.SIGTERM)
        assert await trio.to_thread.run_sync(third.wait, 10) == 0
        assert not [name for name in (await cluster.status()).nodes if name.name == "ruby-3"]


async def _has_in_hand(cluster: Cluster, name: str) -> bool:
    ready = cluster.keys.ready("chat")
    pending = await cluster.link.command("XPENDING", ready, "workers")
    return any(consumer.decode().startswith(f"{name}:") for consumer, _ in pending[3] or ())
