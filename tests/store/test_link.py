"""The link: one pump for everybody, readers and lines that can be cancelled, and every way a server can go away."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from hachat.core.errors import StoreRefused, StoreUnavailable
from hachat.store.embedded import Server, run_server
from hachat.store.link import Direct, Link
from tests.store.links import ADD, PATIENCE, answers, is_blocked, running
from tests.store.proxy import Proxy
from tests.waiting import until


class Switch(Direct):
    """A single server whose clients can be told that another one is master now."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.switched = trio.Event()

    async def wait_changed(self) -> None:
        """Return at the switch, once."""
        await self.switched.wait()
        self.switched = trio.Event()


# The pump


async def test_replies_come_to_whoever_asked(link: Link) -> None:
    """A thousand callers at once, each with its own answer."""
    replies: dict[int, bytes] = {}

    async def ask(number: int) -> None:
        replies[number] = await link.command("ECHO", number)

    async with trio.open_nursery() as nursery:
        for number in range(1200):
            nursery.start_soon(ask, number)
    assert replies == {number: str(number).encode() for number in range(1200)}


async def test_cancelled_callers_never_mix_up_replies(link: Link) -> None:
    """However callers come and go, nobody ever gets another's answer."""
    rng = random.Random(8)
    answered = 0

    async def ask(number: int) -> None:
        nonlocal answered
        for turn in range(20):
            with trio.move_on_after(rng.choice([0, 0.0005, 0.002, 1])):
                text = f"{number}/{turn}"
                assert await link.command("ECHO", text) == text.encode()
                answered += 1

    async with trio.open_nursery() as nursery:
        for number in range(60):
            nursery.start_soon(ask, number)
    assert answered > 200


async def test_error_is_its_callers_alone(link: Link) -> None:
    """One refused command in a batch, and one that cannot be sent at all."""
    refused = 0

    async def ask(number: int) -> None:
        nonlocal refused
        try:
            await link.command("ECHO", *["too", "many"][: number % 2 + 1])
        except StoreRefused:
            refused += 1

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(ask, number)
    assert refused == 10
    with pytest.raises(StoreRefused, match="cannot be sent"):
        await link.command("ECHO", "\ud800")


async def test_cancelled_command_is_not_sent_if_it_can_be_helped(link: Link) -> None:
    """What its caller gave up before its batch left is left out."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await link.command("SET", "given-up", 1)
    assert await link.command("EXISTS", "given-up") == 0


async def test_unknown_script_runs_once(own_server: Server) -> None:
    """NOSCRIPT is answered with the text, by the pump and by a line; nothing runs twice."""
    async with running(own_server) as link, link.line(PATIENCE) as line:
        assert await link.script(ADD, ["sum"], [1]) == 1
        assert await line.script(ADD, ["sum"], [10]) == (11, 0)


async def test_login(tmp_path: Path) -> None:
    """A wrong password is said to be one; asking again would not help."""
    with run_server(tmp_path, password='s3cret "#\\') as server:
        for password, refused in ((server.password, False), ("wrong", True), (None, True)):
            url = f"redis://{server.host}:{server.port}"
            link = Link(Direct(url, password=password), timeout=PATIENCE)
            async with trio.open_nursery() as nursery:
                await nursery.start(link.run)
                if refused:
                    with pytest.raises(StoreRefused, match="login"):
                        await link.command("PING")
                else:
                    assert await link.command("PING") == b"PONG"
                nursery.cancel_scope.cancel()


# Servers that go away


async def test_frozen_server_is_given_up_in_time_and_taken_up_again(own_server: Server) -> None:
    """Neither the batch on its way nor whoever queued behind it waits longer than the link's timeout."""
    async with running(own_server) as link:
        await link.command("PING")
        own_server.process.send_signal(signal.SIGSTOP)
        began = trio.current_time()
        waits: list[float] = []

        async def ask() -> None:
            with pytest.raises(StoreUnavailable):
                await link.command("PING")
            waits.append(trio.current_time() - began)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            for _ in range(5):
                nursery.start_soon(ask)
        assert max(waits) < 2 * PATIENCE
        own_server.process.send_signal(signal.SIGCONT)
        await until(lambda: answers(link))


async def test_many_given_up_calls_do_not_exhaust_the_pump(own_server: Server) -> None:
    """Threads abandoned at a frozen server hold nothing that a later call needs."""
    async with running(own_server) as link:
        own_server.process.send_signal(signal.SIGSTOP)
        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(_give_up_a_line, link)
        own_server.process.send_signal(signal.SIGCONT)
        with trio.fail_after(5):
            await until(lambda: answers(link))
            async with link.line(PATIENCE) as line:
                assert (await line.script(ADD, ["sum"], [1]))[0] == 1


async def _give_up_a_line(link: Link) -> None:
    async with link.line(30.0) as line:
        with trio.move_on_after(0.05):
            await line.script(ADD, ["other"], [1])


async def test_killed_server_that_comes_back(tmp_path: Path) -> None:
    """Calls fail while it is away and work again when it is there; nobody does anything about it."""
    with run_server(tmp_path) as server:
        link = Link(Direct(server.url), timeout=PATIENCE)
        async with trio.open_nursery() as nursery:
            await nursery.start(link.run)
            await link.command("PING")
            server.process.kill()
            server.process.wait()
            with pytest.raises(StoreUnavailable):
                await link.command("PING")
            with run_server(tmp_path, port=server.port):
                assert await link.command("PING") == b"PONG"
            nursery.cancel_scope.cancel()


async def test_lost_reply_is_unknown_and_never_repeated(
    own_server: Server, nursery: trio.Nursery
) -> None:
    """The server carried it out and the answer was lost: the link must not do it again on its own."""
    proxy = Proxy(own_server.port)
    await nursery.start(proxy.run)
    link = Link(Direct(proxy.url), timeout=PATIENCE)
    await nursery.start(link.run)
    await link.command("PING")
    proxy.swallow_replies = True
    with pytest.raises(StoreUnavailable):
        await link.command("INCR", "count")
    proxy.swallow_replies = False
    assert await link.command("GET", "count") == b"1"


async def test_cut_link_is_made_again(own_server: Server, nursery: trio.Nursery) -> None:
    """An idle connection that was cut costs its next caller nothing."""
    proxy = Proxy(own_server.port)
    await nursery.start(proxy.run)
    link = Link(Direct(proxy.url), timeout=PATIENCE)
    await nursery.start(link.run)
    await link.command("PING")
    proxy.cut()
    await until(lambda: answers(link))
    assert proxy.connections == 2


async def test_read_only_answer_drops_the_connection(own_server: Server) -> None:
    """A master that became a replica is left, and looked at anew before the next command."""
    async with running(own_server) as link:
        await link.command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(StoreUnavailable, match="READONLY"):
            await link.command("SET", "x", 1)
        with pytest.raises(StoreUnavailable, match="slave"):
            await link.command("SET", "x", 1)


async def test_nobody_waits_for_a_link_that_ended(own_server: Server) -> None:
    """Those on their way, those queued and those who come later are all told."""
    link = Link(Direct(own_server.url), timeout=30.0)
    ended = 0

    async def ask(*command: str) -> None:
        nonlocal ended
        with pytest.raises(StoreUnavailable, match="ended"):
            await link.command(*command)
        ended += 1

    with trio.fail_after(5):
        async with trio.open_nursery() as askers:
            async with trio.open_nursery() as nursery:
                await nursery.start(link.run)
                await link.command("PING")
                own_server.process.send_signal(signal.SIGSTOP)
                for _ in ("on its way", "queued"):
                    askers.start_soon(ask, "PING")
                    await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
            askers.start_soon(ask, "PING")
    assert ended == 3


# A switch of masters


async def test_switch_ends_every_connection(own_server: Server, nursery: trio.Nursery) -> None:
    """A deposed master answers as if nothing had happened, so nothing may stay on it."""
    source = Switch(own_server.url)
    link = Link(source, timeout=2.0)
    await nursery.start(link.run)
    ended: list[str] = []

    async def read() -> None:
        async with link.reader(20) as reader:
            with pytest.raises(StoreUnavailable):
                await reader.read("BLPOP", "nothing", 20)
        ended.append("reader")

    async with link.line(2.0) as line, trio.open_nursery() as readers:
        await line.script(ADD, ["sum"], [1])
        readers.start_soon(read)
        await until(lambda: is_blocked(link))
        clients = list(link._clients)
        source.switched.set()
        await until(lambda: ended)
        assert len(clients) >= 3
        assert all(client.closed for client in clients)
        assert (await line.script(ADD, ["sum"], [1]))[0] == 2
    assert await link.command("PING") == b"PONG"
