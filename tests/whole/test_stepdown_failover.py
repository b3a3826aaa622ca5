"""The lease is moved while Redis fails over: it is done, or the reason is told in words and by the exit code."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from hachat.store.keys import Keys
from hachat.store.lease import LeaseView
from hachat.store.link import Link
from hachat.store.sentinels import Sentinels
from tests.store.sentinels import SERVICE, run_cluster
from tests.waiting import until
from tests.whole.cluster import Daemon

NODES = ("node-1", "node-2")


def write_settings(folder: Path, name: str, addresses: list[str]) -> Path:
    """Return the settings file of a node whose Redis is found through Sentinels."""
    file = folder / f"{name}.toml"
    named = ", ".join(f'"{address}"' for address in addresses)
    file.write_text(
        f'cluster = "whole"\nnode = "{name}"\n[redis]\nsentinels = [{named}]\nservice = "{SERVICE}"\n'
        f"replicas = 0\n[web]\nport = 0\n[chat.console]\n"
    )
    return file


async def ask(file: Path) -> subprocess.CompletedProcess[bytes]:
    """Type `hachat step-down` with some patience."""
    command = [sys.executable, "-m", "hachat", "step-down", "--wait", "20", "--config", str(file)]
    return await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)


@pytest.mark.parametrize("lead", [0.0, 0.5])
async def test_it_is_done_while_redis_fails_over(lead: float, tmp_path: Path) -> None:
    """Asked as a failover begins, or shortly before, the lease is moved and its new holder told."""
    with run_cluster(tmp_path) as redis, ExitStack() as children:
        files = [write_settings(tmp_path, name, redis.addresses) for name in NODES]
        daemons = [
            Daemon(name, file, tmp_path / f"{name}.log")
            for name, file in zip(NODES, files, strict=True)
        ]
        for daemon in daemons:
            daemon.start(children)
        link = Link(Sentinels(redis.addresses, SERVICE))
        async with trio.open_nursery() as nursery:
            await nursery.start(link.run)
            keys = Keys("whole")
            view = LeaseView(link, keys)

            async def are_two_there() -> bool:
                there = await link.command("ZCARD", keys.of("nodes"))
                return there == len(NODES) and await view.read_master() is not None

            await until(are_two_there, 30.0)
            done: list[subprocess.CompletedProcess[bytes]] = []

            async def step_down() -> None:
                done.append(await ask(files[0]))

            async with trio.open_nursery() as asking:
                asking.start_soon(step_down)
                with trio.move_on_after(lead):
                    await trio.sleep_forever()
                redis.fail_over()
            (answer,) = done
            nursery.cancel_scope.cancel()

    assert answer.returncode == 0, answer.stderr
    told = re.match(rb"node-\d -> node-\d, epoch \d+ -> \d+, (\d+) ms without", answer.stdout)
    assert told, answer.stdout
    assert int(told[1]) < 1000, "the successor waited out the lock delay"
