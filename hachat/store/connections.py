"""Connections of one's own: for blocked reads, and for questions that must not outlive their deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import redis.exceptions
import trio

from hachat.core.errors import StoreError
from hachat.store.client import Argument, Client
from hachat.store.scripts import Script
from hachat.store.translation import unwrap

_ASK_AGAIN = 0.02
"""Seconds between two CLIENT UNBLOCK; one that arrives before the read it is meant for does nothing."""

_WAIT_SHARE = 0.5
"""How much of a line's patience the replicas may take, so that their number still arrives within it."""


class Reader:
    """A connection of its own for blocking reads, whose cancel leaves nothing blocked at the server."""

    def __init__(self, client: Client, command: Callable[..., Awaitable[Any]]) -> None:
        self.client = client
        self.client.reconnects = False  # what was read before may mean nothing to another server
        self._command = command

    async def read(self, *command: Argument) -> Any:
        """Return the raw reply of a blocking command; after StoreUnavailable the reader is of no further use.

        Raises:
            StoreUnavailable: no answer within the time the reader was opened for, or the master changed.
            StoreRefused: Redis said no.
        """
        (outcome,) = await self.client.ask([command], self._unblock)
        return unwrap(outcome)

    async def _unblock(self, answered: trio.Event) -> None:
        while not answered.is_set() and self.client.greeting is not None:
            try:
                await self._command("CLIENT", "UNBLOCK", self.client.greeting.connection)
            except StoreError:
                return
            with trio.move_on_after(_ASK_AGAIN):
                await answered.wait()


class Readers(Protocol):
    """Opens connections for blocking reads."""

    def reader(self, longest: float) -> AbstractAsyncContextManager[Reader]:
        """Open one for reads of up to `longest` seconds."""
        ...


class Line:
    """A connection of its own, for one task, for questions that must not outlive their deadline."""

    def __init__(self, connect: Callable[[float], Awaitable[Client]], patience: float) -> None:
        self._open = connect
        self._patience = patience
        self._client: Client | None = None
        self._known: set[str] = set()

    async def script(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[Argument],
        *,
        replicas: int = 0,
    ) -> tuple[Any, int]:
        """Return the script's raw reply, and how many replicas had it when it was given.

        With `replicas`, `WAIT` follows on the same connection, for at most half of the line's patience.
        A line that was cancelled or met an error connects anew with its next question.

        Raises:
            StoreUnavailable: no answer; whether it was carried out is unknown.
            StoreRefused: Redis said no.
        """
        rest = (len(keys), *keys, *arguments)
        wait = [("WAIT", replicas, int(self._patience * _WAIT_SHARE * 1000))] if replicas else []
        client = await self._connect()
        # Not EVALSHA first: the WAIT behind a script that is not known would use up the time.
        name = ("EVALSHA", script.sha) if script.sha in self._known else ("EVAL", script.text)
        outcomes = await client.ask([(*name, *rest), *wait])
        if isinstance(outcomes[0], redis.exceptions.NoScriptError):
            outcomes = await client.ask([("EVAL", script.text, *rest), *wait])
        try:
            reply, acknowledged, *_ = [*map(unwrap, outcomes), 0]
        except StoreError:
            self.close()
            raise
        self._known.add(script.sha)
        return reply, acknowledged

    async def _connect(self) -> Client:
        if self._client is None or self._client.closed:
            self._client = await self._open(self._patience)
            self._known.clear()
        return self._client

    def close(self) -> None:
        """Close the socket; the next question opens another, to whichever server is master then."""
        if self._client is not None:
            self._client.close()
