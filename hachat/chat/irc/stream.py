"""Lines over TCP or TLS, with every end of the connection told as a ConnectionError.

IRC acknowledges nothing, but TCP does.  What the kernel has taken it tries to deliver for minutes, for a process that has died
too; so after a cut has healed a master that was deposed long ago would speak, and say what its successor has said.
Hence a line counts as sent when the other machine has it, and what it does not get soon it never gets.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from hachat.chat.irc.settings import IrcSettings

_CHUNK = 65_536
_LATEST = 2.0
"""Seconds within which the other machine takes what was sent to it, or never gets it; no longer than `lease.send_timeout`."""

_LOOK, _LONGEST_LOOK = 0.001, 0.05
"""Seconds between two looks at what it has taken, at first and after many."""

_LONGEST = 16_384  # bytes of a line: 512 and 8191 of tags, and some patience


class LineStream:
    """Lines in, lines out; once broken it stays so.  `tcp` is the connection under `stream`, if there is one."""

    def __init__(self, stream: trio.abc.Stream, tcp: trio.SocketStream | None = None) -> None:
        self.broken = False
        self._stream = stream
        self._tcp = tcp
        self._turn = trio.Lock()  # trio refuses two writers at once
        self._rest = b""

    async def write(self, lines: Iterable[bytes]) -> None:
        """Send `lines`; when cancelled half-way the stream is broken, for nobody knows what was sent.

        Raises:
            ConnectionError: the connection has ended; some of it may have been sent unless `broken` was set before.
        """
        data = b"".join(lines)
        async with self._turn:
            done = False
            try:
                with _told_plainly():
                    await self._stream.send_all(data)
                done = True
            finally:
                if not done:
                    await self.abort()

    async def settle(self) -> None:
        """Return once the other machine has all that was written; when cancelled before that, it never gets the rest.

        Raises:
            ConnectionError: the connection has ended before.
        """
        look, done = _LOOK, False
        try:
            while self._tcp is not None and count_unsent(self._tcp):
                await trio.sleep(look)
                look = min(2 * look, _LONGEST_LOOK)
            done = not self.broken
        finally:
            if not done:
                await self.abort()
        if not done:
            raise ConnectionError("the connection ended before the server had everything")

    async def read(self) -> list[bytes]:
        """Return the next lines, without their ends.

        Raises:
            ConnectionError: the connection has ended.
        """
        with _told_plainly():
            data = await self._stream.receive_some(_CHUNK)
        if not data:
            raise ConnectionError("the server closed the connection")
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            raise ConnectionError("the server sends a line without end: is it an IRC server?")
        return [line.rstrip(b"\r") for line in lines]

    async def abort(self) -> None:
        """Close at once, and let nothing more go out; whoever reads or writes is told."""
        self.broken = True
        if self._tcp is not None:
            _forget_unsent(self._tcp)
        await trio.aclose_forcefully(self._stream)


@asynccontextmanager
async def open_stream(settings: IrcSettings) -> AsyncIterator[LineStream]:
    """Connect to the server of `settings`, and close at the end of the block.

    Raises:
        OSError: no connection could be made.
    """
    async with await trio.open_tcp_stream(*settings.address) as tcp:
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_LATEST * 1000))
        try:
            yield LineStream(await _secure(tcp, settings) if settings.tls else tcp, tcp)
        finally:
            if count_unsent(tcp):
                _forget_unsent(tcp)


def count_unsent(tcp: trio.SocketStream) -> int:
    """Return how many bytes the other machine has not acknowledged (SIOCOUTQ of tcp(7)); 0 of a connection that is closed."""
    if tcp.socket.fileno() < 0:
        return 0
    (count,) = struct.unpack("i", fcntl.ioctl(tcp.socket.fileno(), termios.TIOCOUTQ, b"\0" * 4))
    return int(count)


def _forget_unsent(tcp: trio.SocketStream) -> None:
    """Let the connection end with a reset, so that the kernel sends nothing more of it."""
    if tcp.socket.fileno() >= 0:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _secure(
    tcp: trio.SocketStream, settings: IrcSettings
) -> trio.SSLStream[trio.SocketStream]:
    context = ssl.create_default_context(cafile=settings.tls_ca or None)
    if not settings.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # IRC ends with QUIT and ERROR, so TLS's own goodbye is not waited for.
    stream = trio.SSLStream(tcp, context, server_hostname=settings.host, https_compatible=True)
    with _told_plainly():
        await stream.do_handshake()
    return stream


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise ConnectionError(f"the connection ended: {error.__cause__ or error}") from error
