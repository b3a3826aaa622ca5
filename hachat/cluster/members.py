"""Membership: this node's lease of life, renewed from a thread that watches whether the trio loop still turns.

A thread of its own, so that a busy loop does not look dead; but it beats only while the loop has turned lately, so
that a blocked one does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic

import structlog
import trio

from hachat.core.errors import NodeNameTaken, StoreError
from hachat.store.client import Client
from hachat.store.link import Link
from hachat.store.members import Members
from hachat.store.retry import retry

log = structlog.get_logger(__name__)


async def join(members: Members) -> None:
    """Enter the cluster; wait for Redis if it is away, and for a namesake to show whether it lives.

    Raises:
        NodeNameTaken: another living process runs under this node's name.
    """
    namesake = await retry(members.join)
    if namesake:
        patience = 1.5 * members.me.beat
        log.info(
            "a process of this name was here lately, watching whether it still lives",
            seconds=patience,
        )
        await trio.sleep(patience)
        if await retry(partial(members.join, namesake)):
            raise NodeNameTaken(
                f"another living process runs as node {members.me.node!r}; give each server a name of its own"
            )


async def leave(members: Members) -> bool:
    """Say goodbye, and tell whether that could be done: a node that cannot is found to be gone when its lease has run out."""
    try:
        await members.leave()
    except StoreError as error:
        log.warning("could not say goodbye to the cluster", error=str(error))
        return False
    return True


class Heartbeat:
    """Renews the node's lease of life.

    `turned_at` returns the monotonic time at which the loop last turned; `stall` seconds without a turn stop the
    beat.  `on_beat` is called in the loop after each, `on_gone` with the consumers whose tokens are to be taken over.
    """

    def __init__(
        self,
        members: Members,
        link: Link,
        *,
        stall: float,
        turned_at: Callable[[], float],
        on_gone: Callable[[list[str]], None],
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._members = members
        self._link = link
        self._stall = stall
        self._turned_at = turned_at
        self._on_gone = on_gone
        self._on_beat = on_beat
        self._stop = threading.Event()
        self._silent = False
        self.beaten_at = monotonic()
        """Monotonic time of the last beat that reached Redis."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Beat until cancelled."""
        token = trio.lowlevel.current_trio_token()
        task_status.started()
        try:
            await trio.to_thread.run_sync(
                self._beat_for_ever, token, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
            )
        finally:
            self._stop.set()

    def _beat_for_ever(self, token: trio.lowlevel.TrioToken) -> None:
        client: Client | None = None
        while not self._stop.is_set():
            if monotonic() - self._turned_at() < self._stall:
                client = self._beat(client, token)
            self._stop.wait(self._members.me.beat)
        if client is not None:
            client.close()

    def _beat(self, client: Client | None, token: trio.lowlevel.TrioToken) -> Client | None:
        try:
            if client is None:
                client = trio.from_thread.run(
                    self._link.open, self._members.me.beat, trio_token=token
                )
            gone = self._members.beat(client)
        except (StoreError, trio.Cancelled, trio.RunFinishedError) as error:
            self._notice_silence(error)
            if client is not None:
                client.close()
            return None
        self._notice_answer()
        if not self._stop.is_set():
            self._tell(gone, token)
        return client

    def _tell(self, gone: list[str], token: trio.lowlevel.TrioToken) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(self._on_beat, idempotent=True)
            if gone:
                token.run_sync_soon(self._on_gone, gone)

    def _notice_silence(self, error: BaseException) -> None:
        if not self._silent:
            log.warning("Redis does not answer; trying on", error=str(error))
        self._silent = True

    def _notice_answer(self) -> None:
        now = monotonic()
        if self._silent:
            log.info("Redis answers again", seconds=round(now - self.beaten_at, 1))
        self._silent = False
        self.beaten_at = now
