"""Lines over TCP or TLS, with every end of the connection told as a ConnectionError."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from hachat.chat.irc.settings import IrcSettings

_CHUNK = 65_536
_LONGEST = 16_384  # bytes of a line: 512 and 8191 of tags, and some patience


class LineStream:
    """Lines in, lines out; once broken it stays so."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.broken = False
        self._stream = stream
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
        """Close at once; whoever reads or writes is told."""
        self.broken = True
        await trio.aclose_forcefully(self._stream)


@asynccontextmanager
async def open_stream(settings: IrcSettings) -> AsyncIterator[LineStream]:
    """Connect to the server of `settings`, and close at the end of the block.

    Raises:
        OSError: no connection could be made.
    """
    async with await trio.open_tcp_stream(*settings.address) as tcp:
        yield LineStream(await _secure(tcp, settings) if settings.tls else tcp)


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
