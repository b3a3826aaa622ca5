"""Lifetimes as blocks: a service runs for exactly as long as the block it is entered for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import trio

T_co = TypeVar("T_co", covariant=True)


class Service(Protocol[T_co]):
    """Something that runs until cancelled, and says through `task_status` when it can be used."""

    def __call__(self, *, task_status: trio.TaskStatus[Any]) -> Awaitable[None]:
        """Run it."""
        ...


@asynccontextmanager
async def running(service: Service[Any]) -> AsyncIterator[Any]:
    """Run `service` for the length of the block and give the block what it started with.

    Nested blocks end from the inside out, which is the order in which the services may be missed.
    """
    async with trio.open_nursery() as nursery:
        value = await nursery.start(service)
        yield value
        nursery.cancel_scope.cancel()


async def finish_unless(event: trio.Event, task: Callable[[], Awaitable[None]]) -> bool:
    """Run `task`, or stop it when `event` is set; return whether it finished."""
    finished = False
    async with trio.open_nursery() as nursery:

        async def stop() -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(stop)
        await task()
        finished = True
        nursery.cancel_scope.cancel()
    return finished


async def run_until(
    end: Callable[[], Awaitable[None]], *tasks: Callable[[], Awaitable[None]]
) -> None:
    """Run `tasks` side by side for as long as `end` runs."""
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)
        await end()
        nursery.cancel_scope.cancel()
