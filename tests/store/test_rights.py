"""Which commands Redis does not let us run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from typing import Any

import pytest
import redis

from hachat.store.embedded import Server, find_binary, run_server
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link
from hachat.store.rights import find_denied, list_commands
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
        assert await find_denied(link, KEYS) == []
    with closing(redis.Redis(port=judge.port)) as raw:
        assert raw.keys("*") == []


async def test_exactly_what_is_used_is_enough(judge: Server) -> None:
    """The list of commands is complete: with these alone every one of them may be run."""
    rights = [f"+{name.lower()}" for name in list_commands()]
    login = ["+hello", "+auth", "+select", "+client", "+eval", "+info", "+role"]
    async with log_in(judge, *rights, *login) as link:
        assert await find_denied(link, KEYS) == []


# Without the first three no connection is opened, and without the last nothing can be cleaned up: Redis's own error says so.
TRIED = sorted(set(list_commands()) - {"CLIENT", "ROLE", "INFO", "DEL"})


@pytest.mark.parametrize("name", TRIED)
async def test_each_that_is_missing_is_named(judge: Server, name: str) -> None:
    """Every command that is used is tried, however many arguments it wants."""
    async with log_in(judge, "+@all", f"-{name.lower()}") as link:
        assert await find_denied(link, KEYS) == [name]


async def test_without_scripts_nothing_else_is_tried(judge: Server) -> None:
    """EVAL is the one right without which there is no hachat."""
    async with log_in(judge, "+@all", "-eval") as link:
        assert await find_denied(link, KEYS) == ["EVAL"]


async def test_keys_that_are_forbidden_are_named(judge: Server) -> None:
    """Whoever may run everything, but on other keys, is told which are missing."""
    async with log_in(judge, "+@all") as link:
        assert await find_denied(link, Keys("other")) == ["~{hachat:other}:*"]
