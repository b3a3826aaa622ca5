"""Readers and lines: what cancelling them leaves behind, and what their errors mean."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import trio

from hachat.core.errors import StoreError, StoreRefused, StoreUnavailable
from hachat.store.client import Client
from hachat.store.embedded import Server, run_server
from hachat.store.scripts import Script
from tests.store.links import ADD, PATIENCE, blocked_clients, is_blocked, running
from tests.waiting import until

# Readers


async def test_cancelled_read_leaves_nothing_blocked(own_server: Server) -> None:
    """The next message goes to the next reader, not to the one that was cancelled, and the reader lives on."""
    async with running(own_server) as link, link.reader(10) as reader:
        for _ in range(20):
            with trio.move_on_after(0.01):
                await reader.read("BLPOP", "list", 10)
            await link.command("RPUSH", "list", "a")
            assert await link.command("LPOP", "list") == b"a"
        assert await blocked_clients(link) == 0
        await link.command("RPUSH", "list", "b")
        assert await reader.read("BLPOP", "list", 10) == [b"list", b"b"]


async def test_read_cancelled_while_the_server_is_frozen_ends_in_time(own_server: Server) -> None:
    """A server that cannot let go is left."""
    async with running(own_server) as link, link.reader(30) as reader:
        await link.command("PING")
        began = trio.current_time()
        with trio.move_on_after(0.2) as scope:
            own_server.process.send_signal(signal.SIGSTOP)
            await reader.read("BLPOP", "list", 30)
        own_server.process.send_signal(signal.SIGCONT)
        assert scope.cancelled_caught
        assert trio.current_time() - began < 2.0
        assert reader.client.closed


async def test_reader_outlives_a_refusal_but_not_a_lost_connection(own_server: Server) -> None:
    """No group yet is no reason to connect anew; a server that left is."""
    async with running(own_server) as link, link.reader(10) as reader:
        with pytest.raises(StoreRefused, match="NOGROUP"):
            await reader.read("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
        await link.command("RPUSH", "list", "a")
        assert await reader.read("BLPOP", "list", 1) == [b"list", b"a"]
        assert reader.client.greeting is not None
        await link.command("CLIENT", "KILL", "ID", reader.client.greeting.connection)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await reader.read("BLPOP", "list", 1)


async def test_demoted_server_ends_blocked_reads(own_server: Server) -> None:
    """Redis itself unblocks readers when it becomes a replica; that is no answer but a farewell."""
    async with (
        running(own_server) as link,
        link.reader(10) as reader,
        trio.open_nursery() as nursery,
    ):

        async def read() -> None:
            with pytest.raises(StoreUnavailable, match="UNBLOCKED"):
                await reader.read("BLPOP", "list", 10)

        nursery.start_soon(read)
        await until(lambda: is_blocked(link))
        await link.command("REPLICAOF", "127.0.0.1", "1")


async def test_many_readers_do_not_keep_each_other_waiting(own_server: Server) -> None:
    """More blocked readers than any pool of threads, and a command still gets through."""
    async with running(own_server) as link, trio.open_nursery() as nursery:

        async def read() -> None:
            async with link.reader(10) as reader:
                await reader.read("BLPOP", "list", 10)

        for _ in range(50):
            nursery.start_soon(read)

        async def all_blocked() -> bool:
            return await blocked_clients(link) == 50

        await until(all_blocked)
        nursery.cancel_scope.cancel()


# Lines


async def test_cancelled_line_never_reads_a_late_reply(own_server: Server) -> None:
    """A question that was cut short is not the next one's answer."""
    async with running(own_server) as link, link.line(10.0) as line:
        await line.script(ADD, ["sum"], [1])
        own_server.process.send_signal(signal.SIGSTOP)
        with trio.move_on_after(0.05):
            await line.script(ADD, ["sum"], [100])
        own_server.process.send_signal(signal.SIGCONT)
        reply, _ = await line.script(ADD, ["other"], [7])
        assert reply == 7


async def test_missing_replicas_are_counted_in_time(own_server: Server) -> None:
    """Without replicas the answer still comes, with the truth about them, before the line's time is up."""
    async with running(own_server) as link, link.line(PATIENCE) as line:
        with trio.fail_after(1.0):
            assert await line.script(ADD, ["sum"], [1], replicas=1) == (1, 0)


async def test_replica_is_counted(own_server: Server, tmp_path: Path) -> None:
    """The number says how many have it."""
    follow = ["--replicaof", f"{own_server.host} {own_server.port}"]
    async with running(own_server) as link:
        await link.command("CONFIG", "SET", "repl-diskless-sync-delay", 0)
    with run_server(tmp_path / "replica", options=follow):
        async with running(own_server) as link, link.line(PATIENCE) as line:

            async def counted() -> bool:
                return await line.script(ADD, ["sum"], [0], replicas=1) == (0, 1)

            await until(counted, within=10)


async def test_line_leaves_after_any_error(own_server: Server) -> None:
    """An odd answer to a question about the lease is reason enough to look for the master again."""
    wrong = Script("wrong", "return redis.error_reply('NOREPLICAS too few')", "1" * 40)
    async with running(own_server) as link, link.line(PATIENCE) as line:
        await line.script(ADD, ["sum"], [1])
        client = line._client
        assert isinstance(client, Client)
        with pytest.raises(StoreError):
            await line.script(wrong, ["sum"], [])
        assert client.closed
        assert (await line.script(ADD, ["sum"], [1]))[0] == 2
