"""Links for tests: to a server of the test's own, and impatient."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import trio

from hachat.core.errors import StoreUnavailable
from hachat.store.embedded import Server
from hachat.store.link import Direct, Link
from hachat.store.scripts import Script
from hachat.store.source import Source
from hachat.store.translation import unwrap

ADD = Script("add", "return redis.call('INCRBY', KEYS[1], ARGV[1])", "0" * 40)
"""A script whose hash no server knows."""

PATIENCE = 0.3
"""Seconds after which a link of these tests gives up on a server that is silent."""


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Link]:
    """Run an impatient link of its own to a server."""
    link = Link(Direct(server.url), timeout=PATIENCE)
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        yield link
        nursery.cancel_scope.cancel()


async def blocked_clients(link: Link) -> int:
    """Return how many connections the server holds in a blocking command."""
    info = await link.command("INFO", "clients")
    return int(info.split(b"blocked_clients:")[1].split()[0])


async def answers(link: Link) -> bool:
    """Whether the server answers by now."""
    try:
        await link.command("PING")
    except StoreUnavailable:
        return False
    return True


async def is_blocked(link: Link) -> bool:
    """Whether the server holds exactly one connection in a blocking command."""
    return await blocked_clients(link) == 1


async def ask(source: Source, *command: str) -> Any:
    """Return the reply to one command on a connection of its own."""
    with closing(await source.open(2.0)) as client:
        return unwrap(*await client.ask([command]))
