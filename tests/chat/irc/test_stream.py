"""Lines over a stream, with both of its ends in our hands."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from hachat.chat.irc.settings import IrcSettings
from hachat.chat.irc.stream import LineStream, open_stream


def pair() -> tuple[
    LineStream, trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]
]:
    """Return a stream and the server's end of it."""
    ours, theirs = trio.testing.memory_stream_pair()
    return LineStream(ours), theirs


async def test_lines_come_whole() -> None:
    """Lines are given once complete, however they were cut on the way, and with either line end."""
    stream, server = pair()

    await server.send_all(b"one\r\ntw")
    assert await stream.read() == [b"one"]
    await server.send_all(b"o\nthree\r\n")
    assert await stream.read() == [b"two", b"three"]


async def test_end_of_the_connection_is_told() -> None:
    """Readers and writers learn in the same words that the connection has ended."""
    stream, server = pair()
    await server.aclose()

    with pytest.raises(ConnectionError, match="closed the connection"):
        await stream.read()
    with pytest.raises(ConnectionError, match="the connection ended"):
        await stream.write([b"one\r\n"])
    assert stream.broken


async def test_endless_line() -> None:
    """A server that never ends its line is not an IRC server."""
    stream, server = pair()
    await server.send_all(b"x" * 20_000)

    with pytest.raises(ConnectionError, match="is it an IRC server"):
        await stream.read()


async def test_writers_take_turns() -> None:
    """The lines of two writers are not mixed."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    stream = LineStream(ours)
    received = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.write, [b"a1\r\n", b"a2\r\n"])
        nursery.start_soon(stream.write, [b"b1\r\n", b"b2\r\n"])
        while len(received) < 16:
            received += await theirs.receive_some(3)

    assert received in {b"a1\r\na2\r\nb1\r\nb2\r\n", b"b1\r\nb2\r\na1\r\na2\r\n"}


async def test_half_a_write_breaks_the_stream() -> None:
    """After a write that was cancelled nobody knows what arrived, so the reader is told that it is over."""
    ours, _ = trio.testing.lockstep_stream_pair()
    stream = LineStream(ours)

    async def read() -> None:
        with pytest.raises(ConnectionError):
            await stream.read()

    async with trio.open_nursery() as readers:
        readers.start_soon(read)
        async with trio.open_nursery() as writers:
            writers.start_soon(stream.write, [b"one\r\n"])
            await trio.testing.wait_all_tasks_blocked()
            writers.cancel_scope.cancel()

    assert stream.broken


async def test_nobody_there() -> None:
    """A port nobody listens on is an OSError."""
    with trio.fail_after(10), pytest.raises(OSError, match="connect"):
        async with open_stream(IrcSettings(host="127.0.0.1", port=1)):
            pass


@asynccontextmanager
async def deaf_peer() -> AsyncIterator[tuple[LineStream, trio.SocketStream]]:
    """A connection to a machine that takes little before somebody reads there, and its end."""
    async with trio.open_nursery() as nursery:
        send, receive = trio.open_memory_channel[trio.SocketStream](1)
        listener = trio.socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await listener.bind(("127.0.0.1", 0))
        listener.listen(1)

        async def take(stream: trio.SocketStream) -> None:
            await send.send(stream)
            await trio.sleep_forever()

        nursery.start_soon(trio.serve_listeners, take, [trio.SocketListener(listener)])
        settings = IrcSettings(host="127.0.0.1", port=listener.getsockname()[1], tls=False)
        async with open_stream(settings) as stream:
            yield stream, await receive.receive()
        nursery.cancel_scope.cancel()


async def hear_out(peer: trio.SocketStream) -> int:
    """Return how many bytes come before the connection is reset."""
    heard = 0
    try:
        while data := await peer.receive_some(4096):
            heard += len(data)
    except trio.BrokenResourceError:
        return heard
    pytest.fail("the connection ended as if all had been said")


FLOOD = [b"x" * 98 + b"\r\n"] * 150
"""More than a deaf peer's machine takes, and less than the kernel here keeps."""


async def test_a_line_counts_when_the_other_machine_has_it() -> None:
    """What only our own kernel has taken is not sent yet."""
    async with deaf_peer() as (stream, peer):
        await stream.write([b"one\r\n"])
        await stream.settle()

        await stream.write(FLOOD)
        settled = trio.Event()

        async def settle() -> None:
            await stream.settle()
            settled.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(settle)
            missing = len(b"one\r\n") + sum(map(len, FLOOD))
            while missing:
                missing -= len(await peer.receive_some(4096))
                assert not settled.is_set() or missing < 9_000
            await settled.wait()


async def test_what_was_not_taken_in_time_never_comes() -> None:
    """Whoever is cancelled, as a term's end does it, says nothing afterwards, and the connection is of no further use."""
    async with deaf_peer() as (stream, peer):
        await stream.write(FLOOD)
        with trio.move_on_after(0.1) as scope:
            await stream.settle()
        assert scope.cancelled_caught
        assert stream.broken

        assert await hear_out(peer) < sum(map(len, FLOOD))
