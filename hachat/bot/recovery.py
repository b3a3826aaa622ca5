"""Takes over the conversations of nodes that are gone."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
import trio

from hachat.bot.worker import Worker
from hachat.core.errors import StoreError
from hachat.store.inbound import Inbound
from hachat.store.trouble import report

log = structlog.get_logger(__name__)


IDLE_BEATS = 2
"""Beats after which a worker with nothing in hand is asked whether Redis thinks otherwise; a busy one is at each."""


class Recovery:
    """Hands the tokens of dead nodes to this node's workers, never more than they have room for."""

    def __init__(self, queue: Inbound, workers: Sequence[Worker]) -> None:
        self._queue = queue
        self._workers = workers
        self._needed = trio.Event()
        self._gone = self._beat = False
        self._beats = 0

    def beaten(self) -> None:
        """Hear that this node has shown a sign of life: the time to compare what Redis and we think is ours."""
        self._beat = True
        self._needed.set()

    def notice(self, gone: Sequence[str]) -> None:
        """Hear that the node leases of these consumers have run out; called again while they hold anything."""
        log.warning("nodes are gone", consumers=list(gone))
        self._gone = True
        self._needed.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take over for ever."""
        task_status.started()
        while True:
            await self._needed.wait()
            self._needed = trio.Event()
            try:
                if self._gone:
                    self._gone = False
                    await self._take_over()
                if self._beat:
                    self._beat = False
                    await self._reconcile()
            except StoreError as error:
                report(log, "cannot see to conversations yet", error)

    async def _reconcile(self) -> None:
        self._beats += 1
        for worker in self._workers:
            if worker.running or self._beats % IDLE_BEATS == 0:
                await worker.reconcile()

    async def _take_over(self) -> None:
        room = max(0, sum(worker.free for worker in self._workers))
        tokens = await self._queue.reap(room, [worker.lane for worker in self._workers])
        for worker in self._workers:
            worker.adopt(token for token in tokens if token.lane == worker.lane)
        if tokens:
            log.info("took over conversations", count=len(tokens))
