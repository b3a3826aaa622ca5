"""What errors mean: by their words, and as real servers say them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions
import trio
from redis._parsers import BaseParser

from hachat.core.errors import StoreError, StoreRefused, StoreUnavailable
from hachat.store.client import Client, make_client
from hachat.store.embedded import Server, run_server
from hachat.store.translation import StoreBusy, translate, unwrap
from tests.waiting import until

UNAVAILABLE = (
    "READONLY You can't write against a read only replica.",
    "NOREPLICAS Not enough good replicas to write.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "LOADING Redis is loading the dataset in memory",
    "CLUSTERDOWN Hash slot not served",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "ERR max number of clients reached",
    "ERR Error running script (call to f_0): @user_script:1: @user_script: 1: -NOREPLICAS Not enough",
)

REFUSED = (
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM this user has no permissions to run the 'set' command",
    "NOSCRIPT No matching script. Please use EVAL.",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "BUSYGROUP Consumer Group name already exists",
    "NOGROUP No such key 'x' or consumer group 'y'",
    "ERR unknown command 'READONLY'",
    "ERR Error running script (call to f_0): @user_script:1: @user_script: 1: -OOM command not",
)


def parse(line: str) -> Exception:
    """Return what redis-py makes of an error reply."""
    error = BaseParser.parse_error(line)  # type: ignore[no-untyped-call]
    assert isinstance(error, Exception)
    return error


@pytest.mark.parametrize("line", UNAVAILABLE)
def test_answers_that_mean_another_server_is_meant(line: str) -> None:
    """A server that does not take our writes just now is as good as none."""
    assert isinstance(translate(parse(line)), StoreUnavailable)


@pytest.mark.parametrize("line", REFUSED)
def test_answers_that_mean_no(line: str) -> None:
    """Asking again would change nothing."""
    assert isinstance(translate(parse(line)), StoreRefused)


@pytest.mark.parametrize("word", ["OOM", "MISCONF", "NOPERM", "WRONGTYPE"])
def test_first_word_stays(word: str) -> None:
    """Operators look for the word that Redis itself uses."""
    assert word in str(translate(parse(f"{word} for a reason")))


@pytest.mark.parametrize(
    "error",
    [
        redis.exceptions.TimeoutError("Timeout reading from socket"),
        redis.exceptions.ConnectionError("Connection closed by server."),
        redis.exceptions.InvalidResponse("Protocol Error"),
        ConnectionResetError("reset"),
        AttributeError("'NoneType' object has no attribute 'sendall'"),
    ],
)
def test_call_without_an_answer_is_unknown(error: Exception) -> None:
    """However a call ended without an answer, it may have been carried out."""
    ours = translate(error)
    assert isinstance(ours, StoreUnavailable)
    assert ours.__cause__ is error


def test_unwrap_returns_replies_and_raises_the_rest() -> None:
    """A reply stays what it is; nothing of redis-py comes through."""
    assert unwrap(b"OK") == b"OK"
    assert unwrap(None) is None
    with pytest.raises(StoreRefused):
        unwrap(StoreRefused("no"))
    with pytest.raises(StoreRefused):
        unwrap(redis.exceptions.NoScriptError("no such script"))


# Real servers

FOREVER = "while true do end"
WRITE = ("EVAL", "return redis.call('SET', KEYS[1], '1')", 1, "key")


@asynccontextmanager
async def talking(server: Server, **options: Any) -> AsyncIterator[Client]:
    """Open a client."""
    with closing(make_client(5.0, host=server.host, port=server.port, **options)) as client:
        yield client


async def tell(server: Server, *command: str | int) -> Any:
    """Return the reply to one command, on a connection of its own."""
    async with talking(server) as client:
        return unwrap(*await client.ask([command]))


async def fail(client: Client, *command: str | int) -> StoreError:
    """Return the error that a command ends with."""
    (outcome,) = await client.ask([command])
    assert isinstance(outcome, StoreError)
    return outcome


async def test_a_master_without_its_replicas_is_left(own_server: Server) -> None:
    """NOREPLICAS: it may have been replaced."""
    await tell(own_server, "CONFIG", "SET", "min-replicas-to-write", 1)
    async with talking(own_server) as client:
        error = await fail(client, *WRITE)
        assert type(error) is StoreUnavailable
        assert "NOREPLICAS" in str(error)
        assert client.closed


async def test_a_replica_that_has_lost_its_master_is_left(own_server: Server) -> None:
    """MASTERDOWN: it was a master when the connection was made."""
    await tell(own_server, "CONFIG", "SET", "replica-serve-stale-data", "no")
    async with talking(own_server) as client:
        await client.ask([("REPLICAOF", "127.0.0.1", "1")])
        error = await fail(client, "EVAL", "return redis.call('GET', KEYS[1])", 1, "key")
        assert type(error) is StoreUnavailable
        assert "MASTERDOWN" in str(error)
        assert client.closed


async def test_a_server_that_loads_is_left(tmp_path: Path) -> None:
    """LOADING: what it has is not there yet."""
    options = ["--enable-debug-command", "yes", "--key-load-delay", "2000"]
    options += ["--loading-process-events-interval-bytes", "1024"]
    with run_server(tmp_path, options=options) as server:
        await tell(server, "EVAL", "for i = 1, 2000 do redis.call('SET', i, i) end", 0)
        async with talking(server) as client, trio.open_nursery() as nursery:
            nursery.start_soon(tell, server, "DEBUG", "RELOAD")

            async def loading() -> bool:
                info = unwrap(*await client.ask([("INFO", "persistence")]))
                return b"\nloading:1" in info

            await until(loading)
            error = await fail(client, *WRITE)
            assert type(error) is StoreUnavailable
            assert "LOADING" in str(error)
            assert client.closed


async def test_a_busy_server_is_asked_again_on_the_same_connection(own_server: Server) -> None:
    """BUSY: it is the right server, and nothing was done."""
    await tell(own_server, "CONFIG", "SET", "busy-reply-threshold", 20)
    async with talking(own_server) as client, trio.open_nursery() as nursery:
        await client.ask([("PING",)])

        async def block() -> None:
            async with talking(own_server) as other:
                await fail(other, "EVAL", FOREVER, 0)

        async def busy() -> bool:
            (outcome,) = await client.ask([WRITE])
            assert not client.closed
            return type(outcome) is StoreBusy

        async def written() -> bool:
            return not await busy()

        nursery.start_soon(block)
        await until(busy)
        unwrap(*await client.ask([("SCRIPT", "KILL")]))
        await until(written)


async def test_what_only_an_operator_can_mend_is_a_refusal(tmp_path: Path) -> None:
    """OOM, MISCONF, NOPERM, NOAUTH, WRONGPASS: said in Redis's words, and the connection is as good as any other."""
    with run_server(
        tmp_path / "redis", options=["--save", "3600 1", "--enable-protected-configs", "yes"]
    ) as server:
        async with talking(server) as client:

            async def refuse(word: str, *command: str | int) -> None:
                error = await fail(client, *command)
                assert type(error) is StoreRefused
                assert word in str(error)

            await tell(server, "CONFIG", "SET", "maxmemory", 1)
            await refuse("OOM", *WRITE)
            await tell(server, "CONFIG", "SET", "maxmemory", 0)

            # A file of that name is a directory: no snapshot can be stored.
            (tmp_path / "redis" / "taken.rdb").mkdir()
            await tell(server, "CONFIG", "SET", "dbfilename", "taken.rdb")
            await tell(server, "BGSAVE")

            async def misconfigured() -> bool:
                (outcome,) = await client.ask([WRITE])
                return isinstance(outcome, StoreRefused) and "MISCONF" in str(outcome)

            await until(misconfigured)
            await tell(server, "CONFIG", "SET", "stop-writes-on-bgsave-error", "no")

            await tell(server, "ACL", "SETUSER", "looker", "on", ">pw", "~*", "-@all", "+@read")
            await tell(server, "ACL", "SETUSER", "looker", "+role", "+info", "+client")
            async with talking(server, username="looker", password="pw") as looker:
                assert "NOPERM" in str(await fail(looker, "SET", "key", "1"))
                assert not looker.closed
            async with talking(server, username="looker", password="no") as stranger:
                assert type(await fail(stranger, "PING")) is StoreRefused
            await tell(server, "CONFIG", "SET", "requirepass", "pw")
            async with talking(server) as stranger:
                assert type(await fail(stranger, "PING")) is StoreRefused
