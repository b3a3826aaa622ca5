"""One connection to Redis: made by redis-py's synchronous client, and asked on trio's loop or by a thread of one's own.

redis-py reconnects by itself in the middle of a call, and one thread may close what another is using.  Both are
kept in hand by the one place its public API offers, the function run on each new connection: it turns away a
client that was closed, and lets whoever made the client look at the server before anything is said to it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import redis
import redis.exceptions
import trio
from redis.backoff import NoBackoff
from redis.retry import Retry

from hachat.store.stream import UNSENDABLE, Command, Stream, pack
from hachat.store.translation import UNSENT, makes_leave, translated

Argument = str | bytes | int | float

LetGo = Callable[[trio.Event], Awaitable[None]]
"""Makes the server answer a call nobody waits for any more; the event is set once it has."""

Admit = Callable[["Greeting"], None]
"""Looks at a server, in a thread, before anything is said to it.

Raises:
    redis.exceptions.ConnectionError: nothing should be said to it.
"""

_LET_GO = 1.0
"""Seconds a cancelled call waits for the server to let go before its connection is closed."""

_LONGEST_CONNECT = 2.0
"""Seconds after which a connection that is not made is given up, however long its answers may take."""

_BROKEN = (redis.RedisError, OSError, AttributeError, ValueError)
"""How a call ends without an answer; the last two when the socket was closed under redis-py's hands."""

_RUN_ID = re.compile(rb"^run_id:(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a server says of itself and of the connection just made.

    Attributes:
        connection: The connection's id at the server.
        role: master, slave or sentinel.
        run_id: The server process's own id, another one after each restart.
    """

    connection: int
    role: str
    run_id: str


class Client(redis.Redis):
    """A client of one connection, which answers raw replies, never retries, always times out and stays closed.

    It belongs either to one task, which calls `ask`, or to one thread, which calls `exchange`.

    Attributes:
        greeting: What the server said when the connection was made; None before.
        closed: Whether `close` was called; then nothing more is ever sent.
        reconnects: Whether a connection that was lost between two calls is made again; true unless set otherwise.
    """

    def __init__(self, timeout: float, admit: Admit | None, **options: Any) -> None:
        self.greeting: Greeting | None = None
        self.closed = False
        self.reconnects = True
        self._admit = admit
        self._timeout = timeout
        self._own_connection: Any = None
        self._stream: Stream | None = None
        super().__init__(
            socket_timeout=timeout,
            socket_connect_timeout=min(timeout, _LONGEST_CONNECT),
            socket_keepalive=True,
            max_connections=1,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            decode_responses=False,
            health_check_interval=0,
            driver_info=None,
            redis_connect_func=self._greet,  # type: ignore[arg-type]  # it does get the connection
            **options,
        )
        self.response_callbacks.clear()

    async def ask(self, commands: Sequence[Command], let_go: LetGo | None = None) -> list[Any]:
        """Return what `exchange` does, without blocking the loop.

        When cancelled, `let_go` has a second to make the server answer; without an answer the connection is
        closed, because a reply that may still come must not be read as the answer to the next question.
        """
        await trio.lowlevel.checkpoint_if_cancelled()  # then nothing is sent, and nothing closed
        packed, faults = _pack(commands)
        count = len(packed)
        answers: list[Any] = []
        stream: Stream | None = None
        try:
            if packed:
                stream = await self._attend()
                await stream.send(b"".join(packed))
                await stream.receive(answers, count)
        except _BROKEN as error:
            answers += [error] * (count - len(answers))
        except trio.Cancelled:
            if let_go is not None and stream is not None:
                with trio.move_on_after(_LET_GO, shield=True):
                    await _hear_out(stream, answers, count, let_go)
            if len(answers) < count:
                self.close()
            raise
        found = iter(answers)
        return self._settle([faults.get(n) or next(found) for n in range(len(commands))])

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send `commands` in one write, from a thread, and return a reply or an error for each.

        Errors are StoreErrors, except redis-py's NoScriptError: whoever has the script's text can answer that.
        After a StoreUnavailable the client is closed, unless the server was only busy.
        """
        return self._settle(self._attempt(commands))

    def close(self) -> None:
        """Close the socket for good, even under whoever is reading from it."""
        self.closed = True
        if self._stream is not None:
            self._stream.end()
        super().close()

    def _settle(self, outcomes: list[Any]) -> list[Any]:
        if any(isinstance(outcome, Exception) for outcome in outcomes):
            outcomes = [translated(outcome) for outcome in outcomes]
            if any(map(makes_leave, outcomes)):
                self.close()
        return outcomes

    async def _attend(self) -> Stream:
        """Return the connection, which is made where there is none (any more)."""
        if self._stream is None or self.closed or self._stream.is_lost():
            connected = await trio.to_thread.run_sync(
                self._connect, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
            )
            self._stream = Stream(connected, self._timeout)
        return self._stream

    def _connect(self) -> Any:
        """Return a connected socket; in a thread."""
        pool = self.connection_pool
        if self._own_connection is not None:
            self._own_connection.disconnect()
            pool.release(self._own_connection)
        self._own_connection = pool.get_connection()
        return self._own_connection._sock  # noqa: SLF001 - as redis-py offers it to its own parsers, and to nobody else

    def _attempt(self, commands: Sequence[Command]) -> list[Any]:
        try:
            return _run_pipeline(self, commands)
        except UNSENT as error:
            # One caller's mistake is that caller's alone.
            return (
                [error]
                if len(commands) == 1
                else [self._attempt([command])[0] for command in commands]
            )
        except _BROKEN as error:
            return [error] * len(commands)

    def _greet(self, connection: Any) -> None:
        if self.closed or (self.greeting is not None and not self.reconnects):
            raise redis.exceptions.ConnectionError("the connection was closed")
        connection.on_connect()
        for question in (("CLIENT", "ID"), ("ROLE",), ("INFO", "server")):
            connection.send_command(*question)
        number, role, info = [connection.read_response() for _ in range(3)]
        run_id = _RUN_ID.search(info)
        self.greeting = Greeting(number, role[0].decode(), run_id[1].decode() if run_id else "")
        if self._admit is not None:
            self._admit(self.greeting)


def make_client(timeout: float, admit: Admit | None = None, **options: Any) -> Client:
    """Return a client whose every call waits at most `timeout` seconds for the server; options are redis-py's."""
    return Client(timeout, admit, **options)


def require_master(greeting: Greeting) -> None:
    """Admit only a master.

    Raises:
        redis.exceptions.ConnectionError: the server is something else.
    """
    if greeting.role != "master":
        raise redis.exceptions.ConnectionError(f"the server is a {greeting.role}, not a master")


def _pack(commands: Sequence[Command]) -> tuple[list[bytes], dict[int, Exception]]:
    """Return what can be sent, and by their numbers the faults of the others: one caller's mistake is that caller's alone."""
    packed: list[bytes] = []
    faults: dict[int, Exception] = {}
    for number, command in enumerate(commands):
        try:
            packed.append(pack(command))
        except UNSENDABLE as error:
            faults[number] = error
    return packed, faults


async def _hear_out(stream: Stream, answers: list[Any], count: int, let_go: LetGo) -> None:
    """Let `let_go` make the server answer, and take the answers."""
    answered = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go, answered)
        with suppress(*_BROKEN):
            await stream.receive(answers, count)
        answered.set()
        nursery.cancel_scope.cancel()


def _run_pipeline(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    """Send `commands` in one write and return a reply or redis-py's exception for each; blocks its thread."""
    pool = client.connection_pool
    connection: Any = pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        return [_read_response(connection) for _ in commands]
    finally:
        pool.release(connection)


def _read_response(connection: Any) -> Any:
    try:
        return connection.read_response()
    except redis.exceptions.ResponseError as error:
        return error
