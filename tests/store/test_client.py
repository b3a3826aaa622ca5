"""One connection: what errors mean, and that closed means closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Protocol

import pytest
import redis.exceptions
import trio
from redis._parsers import BaseParser

from hachat.core.errors import StoreError, StoreRefused, StoreUnavailable
from hachat.store.client import (
    Admit,
    Client,
    Greeting,
    make_client,
    require_master,
)
from hachat.store.embedded import Server
from hachat.store.translation import translate, unwrap
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


class Make(Protocol):
    """Makes a client of a server."""

    def __call__(self, server: Server, patience: float = 2.0, admit: Admit | None = None) -> Client:
        """Return it; it is closed with the test."""
        ...


@pytest.fixture
def make() -> Iterator[Make]:
    """Make clients, and close them."""
    with ExitStack() as stack:

        def make(server: Server, patience: float = 2.0, admit: Admit | None = None) -> Client:
            client = make_client(patience, admit, host=server.host, port=server.port)
            return stack.enter_context(closing(client))

        yield make


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


def test_only_masters_are_admitted() -> None:
    """A replica would serve reads as if it were the real thing."""
    require_master(Greeting(1, "master", "r"))
    with pytest.raises(redis.exceptions.ConnectionError, match="slave"):
        require_master(Greeting(1, "slave", "r"))


async def test_server_is_looked_at_before_anything_is_said(make: Make, own_server: Server) -> None:
    """What is refused admission hears no command."""

    def refuse(greeting: Greeting) -> None:
        assert greeting.role == "master"
        assert greeting.run_id
        raise redis.exceptions.ConnectionError("not this one")

    client = make(own_server, admit=refuse)
    (outcome,) = await client.ask([("SET", "x", "1")])
    assert "not this one" in str(outcome)
    assert client.closed
    (reply,) = await make(own_server).ask([("EXISTS", "x")])
    assert reply == 0


async def test_unsendable_command_spoils_only_itself(make: Make, server: Server) -> None:
    """One caller's mistake is that caller's alone, and the connection lives on."""
    client = make(server)
    echoes = await client.ask([("ECHO", "a"), ("ECHO", None), ("ECHO", "\ud800"), ("ECHO", "b")])  # type: ignore[list-item]
    assert echoes[0] == b"a"
    assert isinstance(echoes[1], StoreRefused)
    assert isinstance(echoes[2], StoreRefused)
    assert echoes[3] == b"b"
    assert not client.closed


async def test_closed_client_never_connects_again(make: Make, server: Server) -> None:
    """redis-py would connect anew; a client that was closed at a switch must not."""
    client = make(server)
    await client.ask([("PING",)])
    client.close()
    (outcome,) = await client.ask([("PING",)])
    assert isinstance(outcome, StoreUnavailable)


async def test_close_ends_a_read_of_another_task(
    make: Make, server: Server, nursery: trio.Nursery
) -> None:
    """Closing wakes whoever is blocked in the socket, at once."""
    client = make(server, patience=30.0)
    outcomes: list[object] = []

    async def read() -> None:
        outcomes.extend(await client.ask([("BLPOP", "nothing", 20)]))

    nursery.start_soon(read)
    await until(lambda: client.greeting)
    client.close()
    await until(lambda: outcomes, within=2.0)
    assert isinstance(outcomes[0], StoreUnavailable)


async def test_close_at_any_moment_is_only_ever_unavailable(make: Make, server: Server) -> None:
    """Whatever redis-py trips over when its socket goes away, callers see one error."""
    for wait in range(40):
        client = make(server)
        outcomes: list[object] = []

        async def ask(client: Client = client, outcomes: list[object] = outcomes) -> None:
            while not client.closed:
                outcomes.extend(await client.ask([("ECHO", b"x" * 20_000)] * 20))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            with trio.move_on_after(wait / 4000):
                await trio.sleep_forever()
            client.close()
        assert all(isinstance(outcome, bytes | StoreUnavailable) for outcome in outcomes)


async def test_cancelled_call_closes_the_connection(make: Make, server: Server) -> None:
    """A late reply must not be read as the answer to the next question."""
    client = make(server)
    with trio.move_on_after(0.05):
        await client.ask([("BLPOP", "nothing", 1)])
    assert client.closed


async def test_call_cancelled_beforehand_costs_no_connection(make: Make, server: Server) -> None:
    """Nothing was sent, so nothing needs to be closed."""
    client = make(server)
    with trio.CancelScope() as scope:
        scope.cancel()
        await client.ask([("PING",)])
    assert not client.closed
    assert await client.ask([("PING",)]) == [b"PONG"]


async def test_lost_connection_is_made_again_unless_forbidden(
    make: Make, own_server: Server
) -> None:
    """Between two calls a connection may be renewed, except where the old one had a meaning of its own."""
    killer = make(own_server)
    for reconnects in (True, False):
        client = make(own_server)
        client.reconnects = reconnects
        await client.ask([("PING",)])
        assert client.greeting is not None
        await killer.ask([("CLIENT", "KILL", "ID", client.greeting.connection)])
        (outcome,) = await client.ask([("PING",)])
        assert isinstance(outcome, StoreError) is not reconnects
