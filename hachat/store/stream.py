"""A connection to Redis on trio's loop: requests out, answers in, over a socket that redis-py has connected.

redis-py connects, encrypts and logs in, and has no part in what follows: bytes, which hiredis packs and reads.  A thread
for each round trip would cost more than the round trip, and keep it waiting for the interpreter's lock while the
loop is busy.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import hiredis
import redis.exceptions
import trio

_CHUNK = 64 * 1024
"""Bytes that are read at once, at most."""

_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

_MORE = object()
"""What the reader says when the next answer is not complete."""

UNSENDABLE = (TypeError, UnicodeError)
"""How `pack` refuses a command that cannot be put into bytes."""

Command = Sequence[str | bytes | int | float]


def pack(command: Command) -> bytes:
    """Return a command as it is sent.

    Raises:
        TypeError: a part is no text, bytes or number.
        UnicodeError: a text is none (lone surrogates).
    """
    packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]  # its stub means one part
    return packed


class Stream:
    """One connection for one task; every wait for the server is at most `timeout` seconds long.

    The socket stays its owner's, who closes it; from here on only this stream may use it.
    """

    def __init__(self, connected: socket.socket, timeout: float) -> None:
        connected.settimeout(0)
        self._socket = connected
        self._timeout = timeout
        self._answers = hiredis.Reader(
            protocolError=redis.exceptions.InvalidResponse,
            replyError=_read_error,
            notEnoughData=_MORE,
        )

    def is_lost(self) -> bool:
        """Tell whether the connection has ended, or spoken without being asked, since it was last used."""
        try:
            self._socket.recv(1)
        except _NOT_YET:
            return False
        except OSError:
            return True
        return True

    async def send(self, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            OSError, redis.exceptions.RedisError: the connection has ended, or the server took nothing in time.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except _NOT_YET as obstacle:
                await self._wait(obstacle, trio.lowlevel.wait_writable)

    async def receive(self, answers: list[Any], count: int) -> None:
        """Append to `answers` until there are `count`; an error the server answers with is one of redis-py's, in its place.

        Cancelled, it can be called again with the same list.

        Raises:
            OSError, redis.exceptions.RedisError: the connection has ended, or the server was silent for too long.
        """
        while len(answers) < count:
            answer = self._answers.gets()
            if answer is _MORE:
                self._answers.feed(await self._read())
            else:
                answers.append(answer)

    def end(self) -> None:
        """Wake whoever waits for the server; to be called on the loop before the socket is closed."""
        descriptor = self._socket.fileno()
        if descriptor < 0:
            # Nobody waits for what is closed.  Trio keeps all such under one number, and stumbles where the garbage
            # collector ends another one in the middle of this.
            return
        with suppress(RuntimeError, OSError, ValueError):  # the loop has ended
            trio.lowlevel.notify_closing(descriptor)

    async def _read(self) -> bytes:
        while True:
            try:
                data = self._socket.recv(_CHUNK)
            except _NOT_YET as obstacle:
                await self._wait(obstacle, trio.lowlevel.wait_readable)
            else:
                if data:
                    return data
                raise redis.exceptions.ConnectionError("the server closed the connection")

    async def _wait(self, obstacle: Exception, ready: Any) -> None:
        if isinstance(
            obstacle, ssl.SSLWantReadError
        ):  # TLS may have to read in order to write, and the reverse
            ready = trio.lowlevel.wait_readable
        elif isinstance(obstacle, ssl.SSLWantWriteError):
            ready = trio.lowlevel.wait_writable
        with trio.move_on_after(self._timeout) as scope:
            try:
                await ready(self._socket)
            except (trio.ClosedResourceError, ValueError) as error:
                raise redis.exceptions.ConnectionError("the connection was closed") from error
        if scope.cancelled_caught:
            raise redis.exceptions.TimeoutError(f"no answer within {self._timeout:g} s")


def _read_error(text: str) -> redis.exceptions.ResponseError:
    if text.startswith("NOSCRIPT "):
        return redis.exceptions.NoScriptError(text)
    return redis.exceptions.ResponseError(text)
