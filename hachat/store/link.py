"""The way to Redis from trio: pumps for all commands, blocked readers that can be cancelled, and lines.

redis-py has no trio client, so its synchronous one makes the connections, and `store/stream.py` carries the bytes:

* `Link.command` and `Link.script` go through a *pump* (`store/pump.py`): whatever was asked while the last batch was on its
  way becomes the next pipeline, so a thousand concurrent callers cost one round trip, not a thousand.
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
from typing import Any
from weakref import WeakSet

import trio

from hachat.core.errors import StoreUnavailable
from hachat.store.client import Argument, Client, make_client
from hachat.store.connections import Line, Reader
from hachat.store.pump import Pump, Request
from hachat.store.scripts import Script
from hachat.store.source import Direct, Source

__all__ = ["Argument", "Direct", "Line", "Link", "Reader", "Source", "make_client"]

_PUMPS = 2
"""Pipelines under way at once: while Redis works through one, the next is made up."""


class Link:
    """Everything a process says to Redis; `run` must be running for anything to be answered.

    What a script writes counts once `replicas` replicas have it.
    """

    def __init__(self, source: Source, *, timeout: float = 2.0, replicas: int = 0) -> None:
        self.source = source
        self._timeout = timeout
        self._writes = Pump(self.open, timeout, replicas)
        # Whoever only looks does not wait for replicas behind somebody who writes.
        self._reads = Pump(self.open, timeout) if replicas else self._writes
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
                    nursery.start_soon(self._writes.run)
                if self._reads is not self._writes:
                    nursery.start_soon(self._reads.run)
                await self._writes.run()
        finally:
            self._ended = True
            self._hang_up()
            for pump in (self._writes, self._reads):
                pump.settle("the link to Redis has ended; nothing was sent")

    async def command(self, *command: Argument) -> Any:
        """Return the raw reply to one command, which no replica confirms: what must last is written by a script.

        Raises:
            StoreUnavailable: no answer; whether it was carried out is unknown.
            StoreRefused: Redis said no.
        """
        return await self._ask(self._reads, Request(command))

    async def script(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> Any:
        """Return the raw reply of `script`, loading it where the server does not know it.

        Raises:
            StoreUnavailable: no answer, or too few replicas have what it wrote; whether it was carried out is unknown.
            StoreRefused: Redis said no.
        """
        rest = (len(keys), *keys, *arguments)
        request = Request(("EVALSHA", script.sha, *rest), ("EVAL", script.text, *rest))
        return await self._ask(self._reads if script.reads else self._writes, request)

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

    async def _ask(self, pump: Pump, request: Request) -> Any:
        if self._ended:
            raise StoreUnavailable("the link to Redis has ended; nothing was sent")
        await trio.lowlevel.checkpoint_if_cancelled()
        return await pump.ask(request)

    async def _hang_up_at_switch(self) -> None:
        while True:
            await self.source.wait_changed()
            self._hang_up()

    def _hang_up(self) -> None:
        for client in list(self._clients):
            client.close()
        self._clients.clear()
