"""One connection: what errors mean, and that closed means closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Protocol

import pytest
import redis.exceptions
import trio

from hachat.core.errors import StoreError, StoreRefused, StoreUnavailable
from hachat.store.client import (
    Admit,
    Client,
    Greeting,
    make_client,
    require_master,
)
from hachat.store.embedded import Server
from tests.waiting import until


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
