"""The bytes to and from Redis on the loop: in part, late, encrypted, and not at all."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions
import trio
from trio.testing import wait_all_tasks_blocked

from hachat.core.errors import StoreUnavailable
from hachat.store.embedded import Server, free_port, run_server
from hachat.store.link import Direct, Link
from hachat.store.stream import Stream, pack
from tests.certificates import make_certificate
from tests.store.binaries import find_redis
from tests.store.links import running

PATIENCE = 0.3
BIG = b"x" * 8_000_000


@pytest.fixture
def pair() -> Iterator[tuple[Stream, socket.socket]]:
    """A stream, and the server's end of its socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Stream(ours, PATIENCE), theirs


def test_what_cannot_be_sent_is_refused() -> None:
    """A command is text, bytes and numbers, and nothing else is guessed from."""
    assert pack(("ECHO", b"\xff", 7)) == b"*3\r\n$4\r\nECHO\r\n$1\r\n\xff\r\n$1\r\n7\r\n"
    with pytest.raises(TypeError):
        pack(("ECHO", None))  # type: ignore[arg-type]
    with pytest.raises(UnicodeError):
        pack(("ECHO", "\ud800"))


async def test_answers_come_in_any_pieces(
    pair: tuple[Stream, socket.socket], nursery: trio.Nursery
) -> None:
    """Where the network cuts the bytes makes no difference."""
    stream, server = pair
    answers: list[Any] = []
    nursery.start_soon(stream.receive, answers, 3)
    for byte in b"$2\r\n\r\n\r\n*2\r\n:1\r\n$-1\r\n+OK\r\n":
        await wait_all_tasks_blocked()
        server.send(bytes([byte]))
    await wait_all_tasks_blocked()
    assert answers == [b"\r\n", [1, None], b"OK"]


async def test_errors_stand_in_their_places(pair: tuple[Stream, socket.socket]) -> None:
    """An error is an answer, within a list too; a script that is not known is told apart."""
    stream, server = pair
    server.send(b"-ERR no\r\n*2\r\n-WRONGTYPE it is\r\n:1\r\n-NOSCRIPT No matching script\r\n")
    answers: list[Any] = []
    await stream.receive(answers, 3)
    assert isinstance(answers[0], redis.exceptions.ResponseError)
    assert isinstance(answers[1][0], redis.exceptions.ResponseError)
    assert str(answers[1][0]) == "WRONGTYPE it is"
    assert isinstance(answers[2], redis.exceptions.NoScriptError)


async def test_cancelled_receiver_goes_on_where_it_was(pair: tuple[Stream, socket.socket]) -> None:
    """Half an answer that came before the cancel is not lost."""
    stream, server = pair
    answers: list[Any] = []
    server.send(b":1\r\n$5\r\nhe")
    with trio.move_on_after(0.02):
        await stream.receive(answers, 2)
    assert answers == [1]
    server.send(b"llo\r\n")
    await stream.receive(answers, 2)
    assert answers == [1, b"hello"]


async def test_silence_is_a_timeout(pair: tuple[Stream, socket.socket]) -> None:
    """A server that says nothing, or takes nothing, is not waited for."""
    stream, _ = pair
    with pytest.raises(redis.exceptions.TimeoutError):
        await stream.receive([], 1)
    with pytest.raises(redis.exceptions.TimeoutError):
        await stream.send(BIG)


async def test_rubbish_is_an_error(pair: tuple[Stream, socket.socket]) -> None:
    """What is no answer ends the call."""
    stream, server = pair
    server.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(redis.exceptions.InvalidResponse):
        await stream.receive([], 1)


@pytest.mark.parametrize("last_words", [b"", b"+unasked\r\n"])
async def test_lost_connection_is_noticed_before_it_is_used(
    pair: tuple[Stream, socket.socket], last_words: bytes
) -> None:
    """A connection that has ended, or that speaks unasked, is not fit for another question."""
    stream, server = pair
    assert not stream.is_lost()
    if last_words:
        server.send(last_words)
    else:
        server.close()
    assert stream.is_lost()


async def test_end_wakes_the_receiver(
    pair: tuple[Stream, socket.socket], nursery: trio.Nursery
) -> None:
    """Whoever waits when the connection is closed here hears of it at once."""
    stream, _ = pair
    woken = trio.Event()

    async def receive() -> None:
        with pytest.raises(redis.exceptions.ConnectionError, match="was closed"):
            await stream.receive([], 1)
        woken.set()

    nursery.start_soon(receive)
    await wait_all_tasks_blocked()
    stream.end()
    with trio.fail_after(1.0):
        await woken.wait()


async def test_a_socket_that_is_closed_is_no_matter_of_the_loop(
    pair: tuple[Stream, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop knows all of them by the number -1: two that are ended at once, one by the garbage collector, were an error."""
    stream, _ = pair
    told: list[Any] = []
    monkeypatch.setattr(trio.lowlevel, "notify_closing", told.append)
    stream.end()
    stream._socket.close()
    stream.end()
    assert len(told) == 1
    assert told[0] >= 0


async def test_loop_goes_on_while_a_frozen_server_takes_nothing(own_server: Server) -> None:
    """More than any buffer holds, to a server that does not read: others are served meanwhile."""
    async with running(own_server) as link, trio.open_nursery() as nursery:
        await link.command("PING")
        own_server.process.send_signal(signal.SIGSTOP)
        ended = trio.Event()

        async def ask() -> None:
            with pytest.raises(StoreUnavailable):
                await link.command("ECHO", BIG)
            ended.set()

        nursery.start_soon(ask)
        turns = 0
        while not ended.is_set():
            turns += 1
            await trio.lowlevel.checkpoint()
        assert turns > 100
        own_server.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of a Redis that speaks TLS, and its certificate."""
    directory = tmp_path_factory.mktemp("tls")
    key, certificate, port = directory / "key.pem", directory / "cert.pem", free_port()
    make_certificate(key, certificate)
    files = ["--tls-key-file", str(key), "--tls-cert-file", str(certificate)]
    options = ["--tls-port", str(port), *files, "--tls-auth-clients", "no"]
    with run_server(directory, binary=find_redis(), options=options):
        yield f"rediss://127.0.0.1:{port}", certificate


async def test_encrypted_answers_are_whole(
    encrypted: tuple[str, Path], nursery: trio.Nursery
) -> None:
    """TLS has records of its own: small and large questions and answers come through, side by side."""
    url, certificate = encrypted
    link = Link(Direct(url, ssl_ca_certs=str(certificate)))
    await nursery.start(link.run)
    lengths: dict[int, int] = {}

    async def ask(size: int) -> None:
        lengths[size] = len(await link.command("ECHO", BIG[:size]))

    async with trio.open_nursery() as asking:
        for size in (0, 1, 16_383, 16_384, 16_385, 70_000, len(BIG)):
            asking.start_soon(ask, size)
    assert all(size == length for size, length in lengths.items())
    assert len(lengths) == 7
    async with link.reader(5.0) as reader:
        with trio.move_on_after(0.05):
            await reader.read("BLPOP", "nothing", 5)
    assert await link.command("PING") == b"PONG"


async def test_unknown_certificate_is_refused(
    encrypted: tuple[str, Path], nursery: trio.Nursery
) -> None:
    """Nothing is said to a server that cannot show who it is."""
    url, _ = encrypted
    link = Link(Direct(url))
    await nursery.start(link.run)
    with pytest.raises(StoreUnavailable, match="certificate"):
        await link.command("PING")
