"""Each script is run whole on scratch keys, of which nothing is left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis

from hachat.store.embedded import Server, find_binary, run_server
from hachat.store.link import Direct, Link
from hachat.store.scripts import list_names, read
from hachat.store.trials import LIFE, TRIALS, try_script
from hachat.tasks.services import running
from tests.store.binaries import find_redis

PREFIX = "{hachat:trials}:doctor:x:"
CALL = re.compile(r"redis\.p?call\('(\w+)'(?:, '(\w+)')?")
SPLIT = {"XGROUP", "XINFO"}
WRONG_TYPE = {"jobs_promote": {"XADD"}}
"""What is refused on purpose, so that a script takes back what it did."""


@pytest.fixture(scope="module", params=["valkey", "redis"])
def judge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of its own, of each kind."""
    binary = find_binary() if request.param == "valkey" else find_redis()
    with run_server(tmp_path_factory.mktemp(request.param), binary=binary) as server:
        yield server


async def run_trial(url: str, name: str) -> dict[str, str]:
    """Return what the script met."""
    link = Link(Direct(url))
    async with running(link.run):
        info = (await link.command("INFO", "server")).decode()
        return await try_script(link, name, PREFIX, re.findall(r"run_id:(\w+)", info)[0])


def list_calls(name: str) -> set[str]:
    """Return the commands that stand in a script, with their subcommands."""
    calls = CALL.findall(read(name))
    return {f"{first}|{second}" if first in SPLIT else first for first, second in calls}


def test_every_script_has_a_trial() -> None:
    """A new script without one fails here."""
    assert sorted(TRIALS) == list_names()


@pytest.mark.parametrize("name", list_names())
async def test_a_script_runs_every_command_in_it(judge: Server, name: str) -> None:
    """So none can be forbidden unnoticed; nothing else goes wrong, and nothing is left in Redis."""
    met = await run_trial(judge.url, name)

    with closing(redis.Redis(port=judge.port)) as raw:
        assert raw.keys("*") == []
    assert list_calls(name) <= set(met)
    assert {command for command, fault in met.items() if fault} == WRONG_TYPE.get(name, set())


@pytest.mark.parametrize("name", list_names())
async def test_an_interrupted_script_leaves_nothing(judge: Server, name: str) -> None:
    """Whichever command is forbidden, the keys written until then are gone."""
    with closing(redis.Redis(port=judge.port)) as raw:
        ask: Any = raw.execute_command
        for command in list_calls(name) - {"DEL", "TIME", "INFO"}:
            rule = f"-{command.lower()}"
            ask("ACL", "SETUSER", "low", "reset", "on", ">pw", "~{hachat:*}*", "&*", "+@all", rule)
            met = await run_trial(f"redis://low:pw@127.0.0.1:{judge.port}", name)
            assert raw.keys("*") == []
            assert any(met.values())


async def test_keys_that_cannot_be_deleted_end_by_themselves(judge: Server) -> None:
    """Even where deleting is forbidden, they are not there for long."""
    with closing(redis.Redis(port=judge.port)) as raw:
        ask: Any = raw.execute_command
        ask("ACL", "SETUSER", "low", "reset", "on", ">pw", "~{hachat:*}*", "&*", "+@all", "-del")
        await run_trial(f"redis://low:pw@127.0.0.1:{judge.port}", "outbound_turn")

        left: Any = raw.keys("*")
        lives: Any = [raw.pttl(key) for key in left]
        raw.flushall()
    assert left
    assert all(0 < life <= LIFE * 1000 for life in lives)
