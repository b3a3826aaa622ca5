"""Which commands Redis does not let us run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import redis

from hachat.core.facts import Rights
from hachat.store import trials
from hachat.store.embedded import Server, find_binary, run_server
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link
from hachat.store.rights import find_rights, list_commands
from hachat.store.scripts import list_names, read
from hachat.store.trials import TRIALS
from hachat.tasks.services import running
from tests.store.binaries import find_redis

KEYS = Keys("rights")
Log = Callable[..., AbstractAsyncContextManager[Link]]


@pytest.fixture(scope="module", params=["valkey", "redis"])
def judge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of its own, of each kind."""
    binary = find_binary() if request.param == "valkey" else find_redis()
    with run_server(tmp_path_factory.mktemp(request.param), binary=binary) as server:
        yield server


@asynccontextmanager
async def log_in(server: Server, *rights: str) -> AsyncIterator[Link]:
    """Open a link for a user with these rights."""
    with closing(redis.Redis(port=server.port)) as raw:
        ask: Any = raw.execute_command
        ask(
            "ACL", "SETUSER", "low", "reset", "on", ">pw", "~{hachat:rights}*", "&hachat:*", *rights
        )
    link = Link(Direct(f"redis://low:pw@127.0.0.1:{server.port}"))
    async with running(link.run):
        yield link


async def test_who_may_do_all_is_denied_nothing(judge: Server) -> None:
    """And nothing is left in Redis."""
    async with log_in(judge, "+@all") as link:
        assert await find_rights(link, KEYS) == Rights()
    with closing(redis.Redis(port=judge.port)) as raw:
        assert raw.keys("*") == []


async def test_exactly_what_is_used_is_enough(judge: Server) -> None:
    """The list of commands is complete: with these alone every one of them may be run."""
    rights = [f"+{name.lower()}" for name in list_commands()]
    login = ["+hello", "+auth", "+select", "+client", "+eval", "+info", "+role"]
    async with log_in(judge, *rights, *login) as link:
        assert await find_rights(link, KEYS) == Rights()


# Without these no connection is opened: Redis's own error says so.
TRIED = sorted(set(list_commands()) - {"CLIENT", "ROLE", "INFO"})


@pytest.mark.parametrize("name", TRIED)
async def test_each_that_is_missing_is_named(judge: Server, name: str) -> None:
    """Every command that is used is tried, however many arguments it wants."""
    async with log_in(judge, "+@all", f"-{name.lower()}") as link:
        rights = await find_rights(link, KEYS)
    call = re.compile(rf"call\('{name}'|call_for\(\w+, '{name}'")
    users = [script for script in list_names() if call.search(read(script))]
    assert (rights.denied, rights.missing, rights.failing) == ((name,), (), {})
    assert rights.scripts == ({name: users} if users else {})


@pytest.mark.parametrize(
    ("rule", "users"),
    [("xgroup|delconsumer", ["hand_back", "reap"]), ("xinfo|groups", ["queue", "status"])],
)
async def test_a_part_of_a_command_that_is_missing_is_named(
    judge: Server, rule: str, users: list[str]
) -> None:
    """With the scripts that met it: no command by itself would tell."""
    async with log_in(judge, "+@all", f"-{rule}") as link:
        rights = await find_rights(link, KEYS)
    assert rights == Rights((rule.upper(),), (), {rule.upper(): users})


async def test_a_script_that_fails_for_another_reason_is_named(
    judge: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a server that takes a command otherwise than those it was written for."""
    odd = TRIALS["tell"]._replace(runs=[("n",)])
    monkeypatch.setattr(trials, "TRIALS", {**TRIALS, "tell": odd})
    async with log_in(judge, "+@all") as link:
        rights = await find_rights(link, KEYS)
    assert list(rights.failing) == ["tell"]
    assert "HSET" in rights.failing["tell"] or "nil" in rights.failing["tell"]


async def test_nothing_of_the_cluster_is_touched(judge: Server) -> None:
    """What has the names that scripts write to, but for the scratch prefix, is as it was to the byte, and lives as long."""
    with closing(redis.Redis(port=judge.port)) as raw:
        names = {name for each in TRIALS.values() for name in f"{each.keys} {each.others}".split()}
        for name in names:
            raw.set(KEYS.of(name), name, ex=1000)
        before = {key: raw.dump(key) for key in raw.keys("*")}
        async with log_in(judge, "+@all") as link:
            assert await find_rights(link, KEYS) == Rights()
        assert {key: raw.dump(key) for key in raw.keys("*")} == before
        assert len(before) == len(names)
        assert all(raw.ttl(key) > 900 for key in before)
        raw.flushall()


async def test_without_scripts_nothing_else_is_tried(judge: Server) -> None:
    """EVAL is the one right without which there is no hachat."""
    async with log_in(judge, "+@all", "-eval") as link:
        assert await find_rights(link, KEYS) == Rights(("EVAL",))


async def test_keys_that_are_forbidden_are_named(judge: Server) -> None:
    """Whoever may run everything, but on other keys, is told which are missing."""
    async with log_in(judge, "+@all") as link:
        assert await find_rights(link, Keys("other")) == Rights(("~{hachat:other}:*",))


async def test_a_channel_that_is_forbidden_is_named(judge: Server) -> None:
    """The right that is missing is the channel, not the command."""
    async with log_in(judge, "+@all", "resetchannels") as link:
        assert await find_rights(link, KEYS) == Rights(("&hachat:*",))


async def test_keys_that_may_only_be_read_are_named(judge: Server) -> None:
    """Redis 7 tells reading from writing."""
    async with log_in(judge, "+@all", "resetkeys", "%R~{hachat:rights}*") as link:
        assert await find_rights(link, KEYS) == Rights(("~{hachat:rights}:*",))


@pytest.mark.parametrize("find", [find_binary, find_redis])
async def test_commands_that_were_renamed_are_missing(
    tmp_path: Path, find: Callable[[], Path]
) -> None:
    """As they are on some Redis that others run."""
    options = [word for name in ("WAIT", "GETEX") for word in ("--rename-command", name, "")]
    with run_server(tmp_path, binary=find(), options=options) as server:
        link = Link(Direct(server.url))
        async with running(link.run):
            users = {"GETEX": ["lease_renew"]}
            assert await find_rights(link, KEYS) == Rights((), ("GETEX", "WAIT"), users)


async def test_that_nothing_is_acknowledged_is_no_lack_of_rights(judge: Server) -> None:
    """Without its replicas a master refuses whatever writes: who may is told from who may not all the same."""
    with closing(redis.Redis(port=judge.port)) as raw:
        raw.config_set("min-replicas-to-write", 1)
        try:
            async with log_in(judge, "+@all", "-getex") as link:
                users = {"GETEX": ["lease_renew"]}
                assert await find_rights(link, KEYS) == Rights(("GETEX",), (), users)
        finally:
            raw.config_set("min-replicas-to-write", 0)
