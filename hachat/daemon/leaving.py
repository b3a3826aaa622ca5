"""How long a node takes to leave at most, and what becomes of its work when something does not end.

Every part of a node bounds what it waits for.  What nobody can bound is a handler or an adapter that shields itself
from being cancelled, and what a web server waits for within.  A process that is overdue is therefore ended as it is, and
before the service manager would do it (`TimeoutStopSec` in `deploy/systemd`): its messages have gone to others by then.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

import structlog
import trio
from msgspec.structs import replace

from hachat.bot import worker
from hachat.chat import adapter
from hachat.cluster.elector import Elector, longest_release
from hachat.cluster.handover import longest_resign
from hachat.cluster.members import leave
from hachat.cluster.roster import Roster
from hachat.core.errors import StoreError
from hachat.core.settings import Settings
from hachat.store.inbound import Inbound
from hachat.store.keys import LANES
from hachat.store.members import Members
from hachat.tasks.services import running
from hachat.web import server

log = structlog.get_logger(__name__)

GOODBYE = 2.0
"""Seconds for saying goodbye to the cluster."""

OVERDUE = 1
"""Exit code of a process that did not leave in order."""

LET_GO = 1.0
"""Seconds until a read that is blocked at a silent Redis is left behind, as in `store.client`."""


def longest_work(settings: Settings) -> float:
    """Return the seconds from being told to leave until workers and election have ended, with a Redis that is silent."""
    handling = LET_GO + settings.worker.grace + 2 * worker.GOODBYE
    # A drain that cannot report a send ends with the lease, which may have been renewed at the very end of resigning; its
    # reader, the adapters and the elector's reader follow.
    timing = settings.lease.timing
    resigning = 2 * timing.op_timeout + longest_resign(timing)
    chat = timing.ttl + LET_GO + max(LET_GO, 2 * adapter.GOODBYE)
    return max(handling, resigning + chat + longest_release(timing) + LET_GO)


def longest_leave(settings: Settings) -> float:
    """Return the seconds from being told to leave until the process has ended, when all that can be slow is."""
    membership = LET_GO + GOODBYE
    web = server.GRACE + server.PEER_TIMEOUT + server.GRACE
    return longest_work(settings) + membership + web


async def resign(elector: Elector, roster: Roster, members: Members, patience: float) -> None:
    """Give the lease back, if we have it, to whoever had best have it next.

    Redis is given `patience` seconds to hear that we leave, and as many to say whether elections are paused.
    """
    with trio.move_on_after(patience):
        try:
            await members.tell(replace(members.me, leaving=True))
        except StoreError as error:
            log.warning("could not tell the others that this node leaves", error=str(error))
    if elector.term is None:
        return
    await roster.try_to_look(patience)
    if paused := roster.paused:
        log.warning(
            "elections are paused: nobody is master until this node is back or they are resumed",
            pause=paused.describe(),
        )
    await elector.resign(reason="shutdown")


async def leave_anyway(members: Members, queue: Inbound) -> NoReturn:
    """Hand back what is still in hand, leave the cluster, and end the process; without an answer by Redis do the last."""
    with trio.move_on_after(GOODBYE):
        try:
            count = sum([await queue.hand_back(lane) for lane in LANES])
        except StoreError as error:
            log.warning("could not hand back conversations", error=str(error))
        else:
            log.error("something did not end although it was cancelled", handed_back=count)
        await leave(members)
    await end_process()


async def end_process() -> NoReturn:
    """End the process as it is."""
    log.error("leaving takes too long; ending as it is")
    os._exit(OVERDUE)


@asynccontextmanager
async def limited(
    stop: trio.Event, seconds: float, overdue: Callable[[], Awaitable[NoReturn]]
) -> AsyncIterator[None]:
    """Call `overdue` if the block still runs so many seconds after `stop` was set."""

    async def wait(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await stop.wait()
        await trio.sleep(seconds)
        await overdue()

    async with running(wait):
        yield
