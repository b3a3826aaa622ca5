"""Where Redis is: what a source of connections must do, and the simplest one, a single server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import trio
from redis.connection import parse_url

from hachat.core.facts import Sentinel
from hachat.store.client import Client, Greeting, make_client, require_master


class Source(Protocol):
    """Where Redis is: one server, or whichever one the Sentinels name."""

    @property
    def identity(self) -> str:
        """What changes when another server, or the same one with another history, answers.

        Empty while no master is known; it holds the server's run id from the first connection on.
        """
        ...

    @property
    def config_epoch(self) -> int:
        """The Sentinels' config epoch of the present master; 0 with a single server."""
        ...

    @property
    def vouched(self) -> bool:
        """Whether the master that was found last has been confirmed lately, by whoever names masters; a lease is taken of no other."""
        ...

    async def wait_vouched(self) -> None:
        """Return once that is so."""

    async def open(self, patience: float) -> Client:
        """Return a new client of the present master; each of its calls waits at most `patience` seconds.

        It connects with its first call, and goes no further unless the server says it is a master.

        Raises:
            StoreUnavailable: no master can be found.
        """
        ...

    async def watch(self) -> None:
        """Notice for ever when the master changes; returns at once if it cannot."""

    async def wait_changed(self) -> None:
        """Return when the master of this moment is no longer the one to write to."""

    async def inspect(self) -> Sequence[Sentinel]:
        """Return what each Sentinel says of itself; of a single server none."""
        ...

    def reach(self, host: str, port: int, patience: float) -> Client:
        """Return a new client, logged in as everywhere, of another server, whatever that is."""
        ...


class Direct:
    """A single Redis or Valkey server, by URL: `redis://`, `rediss://` or `unix://`."""

    def __init__(self, url: str, **options: Any) -> None:
        self._options: dict[str, Any] = {**parse_url(url), **options}  # type: ignore[no-untyped-call]
        if "path" in self._options:
            self._options["unix_socket_path"] = self._options.pop("path")
        self._options.pop("connection_class", None)
        if url.startswith("rediss://"):
            self._options["ssl"] = True
        host, port = self._options.get("host", "localhost"), self._options.get("port", 6379)
        self._address = self._options.get("unix_socket_path") or f"{host}:{port}"
        self._run_id = ""

    @property
    def identity(self) -> str:
        """The address and the run id, for a server that was restarted may have forgotten everything."""
        return f"{self._address}/{self._run_id}" if self._run_id else ""

    @property
    def config_epoch(self) -> int:
        """Always 0: there is no Sentinel to count failovers."""
        return 0

    @property
    def vouched(self) -> bool:
        """Always: there is no other server."""
        return True

    async def wait_vouched(self) -> None:
        """Return at once: nobody else could name another server."""
        await trio.lowlevel.checkpoint()

    async def open(self, patience: float) -> Client:
        """Return a new client; it connects with its first command."""
        return make_client(patience, self._admit, **self._options)

    async def watch(self) -> None:
        """Return at once: a single server has no successor."""

    async def wait_changed(self) -> None:
        """Wait for ever: a single server has no successor."""
        await trio.sleep_forever()

    async def inspect(self) -> Sequence[Sentinel]:
        """Return none: a single server has no Sentinel."""
        return ()

    def reach(self, host: str, port: int, patience: float) -> Client:
        """Return a new client of a replica of the server."""
        options = {name: it for name, it in self._options.items() if name != "unix_socket_path"}
        return make_client(patience, **{**options, "host": host, "port": port})

    def _admit(self, greeting: Greeting) -> None:
        require_master(greeting)
        self._run_id = greeting.run_id
