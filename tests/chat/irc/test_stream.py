"""Lines over a stream, with both of its ends in our hands."""

from __future__ import annotations

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
