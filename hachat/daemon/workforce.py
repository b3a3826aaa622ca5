"""The workers of a node: at work until it leaves, except while operators have drained it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import structlog
import trio

from hachat.bot.worker import Worker
from hachat.cluster.roster import Roster
from hachat.tasks.services import finish_unless

log = structlog.get_logger(__name__)


class Workforce:
    """Keeps this node's workers; `hire` makes new ones, `present` are those that are at work, the same list always."""

    def __init__(self, roster: Roster, hire: Callable[[], Iterable[Worker]], grace: float) -> None:
        self.present: list[Worker] = []
        self._roster = roster
        self._hire = hire
        self._grace = grace

    async def run(
        self,
        stop: trio.Event,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Work through the queue until `stop` is set; while the node is drained finish what was begun, and take nothing."""
        if not self._roster.drained:
            await self._work(stop, task_status)
        else:
            task_status.started()
        while not stop.is_set():
            if order := self._roster.drained:
                log.warning("drained: this node takes no new work", order=order.describe())
            if await finish_unless(stop, partial(self._roster.wait_drained, drained=False)):
                log.info("not drained: this node takes work")
                await self._work(stop)

    async def _work(
        self, stop: trio.Event, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        drained = trio.Event()
        self.present[:] = self._hire()
        async with trio.open_nursery() as nursery:
            for worker in self.present:
                work = partial(worker.run, drained=drained)
                await nursery.start(work, stop, self._grace)
            task_status.started()
            await finish_unless(stop, partial(self._roster.wait_drained, drained=True))
            drained.set()
        self.present.clear()
