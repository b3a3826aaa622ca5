"""Connecting ahead: what a successor does for its chat services before the lease is its own.

Who has done so has shown that it reaches them, so a master that does not can hand the lease over to it.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog
import trio

from hachat.chat.abilities import Warms
from hachat.chat.adapter import Adapter, Connection
from hachat.core.errors import UsageError

log = structlog.get_logger(__name__)

_LONGEST = 400  # characters of a fault, which may be in the words of a service


async def warm_up(
    adapters: Iterable[Adapter], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Connect all of `adapters` ahead that can, and call `started()`; return once all are used.

    Where none can there is nothing to use, and it waits until it is cancelled.

    Raises:
        UsageError: one of them cannot connect, or has lost its connection (in groups).
    """
    able = [adapter for adapter in adapters if isinstance(adapter, Warms)]
    async with trio.open_nursery() as used:
        async with trio.open_nursery() as connecting:
            for adapter in able:
                connecting.start_soon(_start, used, adapter)
        task_status.started()
        if not able:
            await trio.sleep_forever()


def find_fault(connections: Iterable[Connection]) -> str:
    """Return why services are not reached that a successor would connect ahead; nothing if all are."""
    faults = (
        f"{connection.adapter.name}: {connection.fault}"
        for connection in connections
        if connection.fault and isinstance(connection.adapter, Warms)
    )
    return "; ".join(faults)[:_LONGEST]


async def _start(used: trio.Nursery, adapter: Warms) -> None:
    await used.start(_warm, adapter)


async def _warm(adapter: Warms, *, task_status: trio.TaskStatus[None]) -> None:
    try:
        await adapter.warm(task_status=task_status)
    except OSError as error:
        raise UsageError(f"{adapter.name}: {error}") from error
