"""A master and a replica of it, whose link a test holds in its hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from hachat.store.client import Greeting, make_client
from hachat.store.embedded import Server, run_server
from hachat.store.link import Direct, Link
from tests.store.links import ask
from tests.store.proxy import Proxy
from tests.waiting import until


@dataclass(frozen=True)
class Pair:
    """Both servers, and the proxy through which the replica hears its master."""

    master: Server
    replica: Server
    proxy: Proxy

    async def tell_replica(self, *command: str) -> Any:
        """Return the replica's reply to one command."""
        return await ask(_Anybody(self.replica.url), *command)

    async def promote(self) -> None:
        """Make the replica a master."""
        await self.tell_replica("REPLICAOF", "NO", "ONE")


class _Anybody(Direct):
    """A server that need not be a master."""

    def _admit(self, greeting: Greeting) -> None:
        """Admit it."""


@asynccontextmanager
async def run_pair(directory: Path, binary: Path | None = None) -> AsyncIterator[Pair]:
    """Run both; the replica has all its master had when the block begins."""
    options = ["--repl-diskless-sync-delay", "0", "--repl-diskless-load", "swapdb"]
    async with trio.open_nursery() as nursery:
        with run_server(directory / "master", binary=binary, options=options) as master:
            proxy = Proxy(master.port)
            await nursery.start(proxy.run)
            port = proxy.url.rpartition(":")[2].partition("/")[0]
            follow = ["--replicaof", f"127.0.0.1 {port}", *options]
            with run_server(directory / "replica", binary=binary, options=follow) as replica:
                pair = Pair(master, replica, proxy)

                await until(lambda: _confirms(master), within=15)
                try:
                    yield pair
                finally:
                    nursery.cancel_scope.cancel()


async def _confirms(master: Server) -> bool:
    """Tell whether a replica has confirmed what was said.

    A server calls one online before it sends it anything, and `WAIT` counts such a one for who has written nothing yet.
    """
    client = make_client(1.0, host=master.host, port=master.port)
    with closing(client):
        _, (_, _, replicas) = await client.ask([("PUBLISH", "attached", ""), ("ROLE",)])
    return any(int(confirmed) > 0 for *_, confirmed in replicas)


@asynccontextmanager
async def confirming(
    server: Server, *, replicas: int = 1, patience: float = 2.0
) -> AsyncIterator[Link]:
    """Run a link whose writes count once `replicas` replicas have them."""
    link = Link(Direct(server.url), timeout=patience, replicas=replicas)
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        yield link
        nursery.cancel_scope.cancel()
