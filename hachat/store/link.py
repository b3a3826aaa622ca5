"""The way to Redis from trio: one pump for all commands, blocked readers that can be cancelled, and lines.

redis-py has no trio client, so its synchronous one makes the connections, and `store/stream.py` carries the bytes:

* `Link.command` and `Link.script` go through a *pump*: whatever was asked while the last batch was on its way
  becomes the next pipeline, so a thousand concurrent callers cost one round trip, not a thousand.
* `Link.reader` gives a connection of its own for blocking commands.  Cancelling one sends `CLIENT UNBLOCK`:
  a read that was merely abandoned would swallow the next message.
* `Link.line` gives a connection of its own whose every call may be cut short, for the lease.

redis-py's own retries are off: repeating a write whose answer was lost doubles it.  `StoreUnavailable` says
that the outcome is unknown, and every caller repeats idempotently or not at all.

When the master changes, every connection that was opened here is closed, blocked readers included: a server that
was deposed goes on answering as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

import redis
import redis.exceptions
import trio

from hachat.core.errors import StoreError, StoreUnavailable
from hachat.store.client import (
    Argument,
    Client,
    make_client,
    timed_out,
    translate,
    unwrap,
)
from hachat.store.connections import Line, Reader
from hachat.store.scripts import Script
from hachat.store.source import Direct, Source
from hachat.store.stream import Command

__all__ = ["Argument", "Direct", "Line", "Link", "Reader", "Source", "make_client", "translate"]

_BATCH = 500
"""Commands of one pipeline; more would make the first of them wait for the last."""

_PUMPS = 2
"""Pipelines under way at once: while Redis works through one, the next is made up."""


@dataclass(slots=True, eq=False)
class _Request:
    command: Command
    otherwise: Command = ()  # what to ask when the server does not know the script
    done: trio.Event = field(default_factory=trio.Event)
    outcome: Any = None
    abandoned: bool = False

    def settle(self, outcome: Any) -> None:
        if not self.done.is_set():
            self.outcome = outcome
            self.done.set()


@dataclass(slots=True)
class _Connection:
    """A pump's own connection, made when it is first needed and again when it was lost."""

    client: Client | None = None


class Link:
    """Everything a process says to Redis; `run` must be running for anything to be answered."""

    def __init__(self, source: Source, *, timeout: float = 2.0) -> None:
        self.source = source
        self._timeout = timeout
        self._queue: list[_Request] = []
        self._idle: list[trio.Event] = []
        self._clients: WeakSet[Client] = WeakSet()
        self._ended = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry commands until cancelled; then whatever was asked or is asked later ends with StoreUnavailable."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.source.watch)
                nursery.start_soon(self._hang_up_at_switch)
                task_status.started()
                for _ in range(_PUMPS - 1):
                    nursery.start_soon(self._pump)
                await self._pump()
        finally:
            self._ended = True
            self._hang_up()
            self._settle_queue("the link to Redis has ended; nothing was sent")

    async def command(self, *command: Argument) -> Any:
        """Return the raw reply to one command.

        Raises:
            StoreUnavailable: no answer; whether it was carried out is unknown.
            StoreRefused: Redis said no.
        """
        return await self._ask(_Request(command))

    async def script(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> Any:
        """Return the raw reply of `script`, loading it where the server does not know it.

        Raises:
            StoreUnavailable: no answer; whether it was carried out is unknown.
            StoreRefused: Redis said no.
        """
        rest = (len(keys), *keys, *arguments)
        return await self._ask(
            _Request(("EVALSHA", script.sha, *rest), ("EVAL", script.text, *rest))
        )

    async def open(self, patience: float) -> Client:
        """Return a client of one's own, which is closed when the master changes or the link ends.

        Raises:
            StoreUnavailable: no master can be found, or the link has ended.
        """
        client = await self.source.open(patience)
        if self._ended:
            raise StoreUnavailable("the link to Redis has ended")
        self._clients.add(client)
        return client

    @asynccontextmanager
    async def reader(self, longest: float) -> AsyncIterator[Reader]:
        """Open a connection for commands that block the server for up to `longest` seconds."""
        reader = Reader(await self.open(longest + self._timeout), self.command)
        try:
            yield reader
        finally:
            reader.client.close()

    @asynccontextmanager
    async def line(self, patience: float) -> AsyncIterator[Line]:
        """Open a connection whose every call waits at most `patience` seconds, or is cut short by its caller."""
        line = Line(self.open, patience)
        try:
            yield line
        finally:
            line.close()

    async def _ask(self, request: _Request) -> Any:
        if self._ended:
            raise StoreUnavailable("the link to Redis has ended; nothing was sent")
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._idle and not self._queue:
            self._idle.pop().set()  # the latest one: the others need no connection until it is busy
        self._queue.append(request)
        try:
            await request.done.wait()
        except trio.Cancelled:
            request.abandoned = True
            raise
        return unwrap(request.outcome)

    async def _pump(self) -> None:
        connection = _Connection()
        while True:
            while not self._queue:
                self._idle.append(trio.Event())
                await self._idle[-1].wait()
            batch = [request for request in self._queue[:_BATCH] if not request.abandoned]
            del self._queue[:_BATCH]
            await self._carry(connection, batch)

    async def _carry(self, connection: _Connection, batch: list[_Request]) -> None:
        try:
            outcomes = await self._exchange(connection, [request.command for request in batch])
            strangers: list[_Request] = []
            for request, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, redis.exceptions.NoScriptError) and request.otherwise:
                    strangers.append(request)
                else:
                    request.settle(outcome)
            # They did not run, so asking again is safe; EVAL makes the server learn them.
            outcomes = await self._exchange(
                connection, [request.otherwise for request in strangers]
            )
            for request, outcome in zip(strangers, outcomes, strict=True):
                request.settle(outcome)
        finally:
            for request in batch:
                request.settle(StoreUnavailable("the link to Redis ended before the answer came"))

    async def _exchange(self, connection: _Connection, commands: Sequence[Command]) -> list[Any]:
        if not commands:
            return []
        try:
            if connection.client is None or connection.client.closed:
                connection.client = await self.open(self._timeout)
        except StoreError as error:
            return [copy(error) for _ in commands]
        outcomes = await connection.client.ask(commands)
        if timed_out(outcomes[-1]):
            # Whoever queued behind a silent server has waited long enough.
            self._settle_queue("Redis does not answer; nothing was sent")
        return outcomes

    def _settle_queue(self, reason: str) -> None:
        for request in self._queue:
            request.settle(StoreUnavailable(reason))
        self._queue.clear()

    async def _hang_up_at_switch(self) -> None:
        while True:
            await self.source.wait_changed()
            self._hang_up()

    def _hang_up(self) -> None:
        for client in list(self._clients):
            client.close()
        self._clients.clear()
