"""One pipeline after another: what is asked while the last one travels becomes the next.

Where replicas are to confirm what was written, one `WAIT` ends each pipeline.  Replication is linear, so a
replica that has the last write has all before it, those of other connections too.  A write that too few of them have
in time is no error of anybody's: it was carried out, and may be forgotten.  Its caller hears what it hears when
an answer is lost.

Valkey lets `WAIT` look at this connection's own last write only.  A repetition that finds its work done writes nothing, and
would be taken for safe while no replica has what it repeats.  So a `PUBLISH` to nobody, which replicas are always
sent, goes before the `WAIT`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import redis.exceptions
import trio

from hachat.core.errors import StoreError, StoreUnavailable
from hachat.store.client import Client
from hachat.store.stream import Command
from hachat.store.translation import timed_out, unwrap

_BATCH = 500
"""Commands of one pipeline; more would make the first of them wait for the last."""

_CHANNEL = "hachat:confirm"
"""Where nobody listens."""

_WAIT_SHARE = 0.25
"""How much of the link's timeout the replicas may take; whoever queued behind it still has most of it left."""


@dataclass(slots=True, eq=False)
class Request:
    """One command and what became of it; `otherwise` is what to ask when the server does not know the script."""

    command: Command
    otherwise: Command = ()
    done: trio.Event = field(default_factory=trio.Event)
    outcome: Any = None
    abandoned: bool = False

    def settle(self, outcome: Any) -> None:
        """Wake whoever asked; the first outcome counts."""
        if not self.done.is_set():
            self.outcome = outcome
            self.done.set()


@dataclass(slots=True)
class _Connection:
    """A pump's own connection, made when it is first needed and again when it was lost."""

    client: Client | None = None


class Pump:
    """Carries requests; `run` it once for each pipeline that may be under way at the same time.

    `connect` makes its connections, which wait `timeout` seconds for an answer.  A request counts as carried out once
    `replicas` replicas have it; they get a quarter of `timeout` for that.
    """

    def __init__(
        self, connect: Callable[[float], Awaitable[Client]], timeout: float, replicas: int = 0
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self._replicas = replicas
        wait = ("WAIT", replicas, max(1, int(timeout * _WAIT_SHARE * 1000)))
        self._wait: list[Command] = [("PUBLISH", _CHANNEL, ""), wait] if replicas else []
        self._queue: list[Request] = []
        self._idle: list[trio.Event] = []

    async def ask(self, request: Request) -> Any:
        """Return the reply.

        Raises:
            StoreUnavailable: no answer, or too few replicas have it; whether it was carried out is unknown.
            StoreRefused: Redis said no.
        """
        if self._idle and not self._queue:
            self._idle.pop().set()  # the latest one: the others need no connection until it is busy
        self._queue.append(request)
        try:
            await request.done.wait()
        except trio.Cancelled:
            request.abandoned = True
            raise
        return unwrap(request.outcome)

    async def run(self) -> None:
        """Carry requests for ever."""
        connection = _Connection()
        while True:
            while not self._queue:
                self._idle.append(trio.Event())
                await self._idle[-1].wait()
            batch = [request for request in self._queue[:_BATCH] if not request.abandoned]
            del self._queue[:_BATCH]
            await self._carry(connection, batch)

    def settle(self, reason: str) -> None:
        """End what is queued with StoreUnavailable."""
        for request in self._queue:
            request.settle(StoreUnavailable(reason))
        self._queue.clear()

    async def _carry(self, connection: _Connection, batch: list[Request]) -> None:
        try:
            outcomes = await self._exchange(connection, [request.command for request in batch])
            strangers: list[Request] = []
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
                connection.client = await self._connect(self._timeout)
        except StoreError as error:
            return [copy(error) for _ in commands]
        outcomes = await connection.client.ask([*commands, *self._wait])
        if timed_out(outcomes[-1]):
            # Whoever queued behind a silent server has waited long enough.
            self.settle("Redis does not answer; nothing was sent")
        return self._confirm(connection.client, outcomes) if self._wait else outcomes

    def _confirm(self, client: Client, outcomes: list[Any]) -> list[Any]:
        """Return the outcomes before those of `_wait`, with doubt in the place of each reply if too few replicas confirm."""
        *outcomes, published, confirmed = outcomes
        faults = [fault for fault in (published, confirmed) if isinstance(fault, Exception)]
        if not faults and confirmed >= self._replicas:
            return outcomes
        client.close()  # a master that has lost its replicas may be none any more
        reason = faults[0] if faults else f"{confirmed} did in time"
        doubt = f"{self._replicas} replicas were to confirm what was written, and {reason}"
        return [
            outcome if isinstance(outcome, Exception) else StoreUnavailable(doubt)
            for outcome in outcomes
        ]
