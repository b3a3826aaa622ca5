"""Tells handlers what happens to the cluster: nodes that come and go, masters, and that it starts.

What is told goes through the inbound queue, once for the cluster, however many nodes tell it.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
import trio

from hachat.bot.robot import Robot
from hachat.core.errors import QueueFull, WireError
from hachat.core.ids import make_id
from hachat.core.messages import Event, Inbound, Job
from hachat.store.keys import Lane
from hachat.store.retry import retry

log = structlog.get_logger(__name__)

MOST = 100
"""Events that wait while Redis is away; the oldest are let go."""


class Herald:
    """Queues what this node has to tell, if a handler wants to know."""

    def __init__(
        self, node: str, robot: Robot, enqueue: Callable[[Inbound, Lane], Awaitable[bool]]
    ) -> None:
        self._node = node
        self._robot = robot
        self._enqueue = enqueue
        self._waiting: deque[Event | Job] = deque()
        self._news = trio.Event()

    def tell(self, name: str, about: str, node: str = "") -> None:
        """Tell that `name` happened to this node or another; of what is told of the same `about`, only the first counts."""
        if self._robot.listens(name):
            now = time.time()
            id_ = make_id(now, random.getrandbits(80))
            self._add(
                Event(id_, name, now, data={"node": node or self._node}, event=f"{name}/{about}")
            )

    def begin(self, consumer: str) -> None:
        """Have everything run that is due when the cluster starts, of which `consumer` is the first node."""
        for route in self._robot.jobs:
            if route.startup:
                self._add(Job(f"{route.name}@{consumer}", route.name, time.time()))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Queue what there is to tell, for ever; while Redis is away, wait for it."""
        task_status.started()
        while True:
            await self._news.wait()
            self._news = trio.Event()
            await self.flush()

    async def flush(self) -> None:
        """Queue all that waits."""
        while self._waiting:
            value = self._waiting[0]
            try:
                await retry(partial(self._enqueue, value, "work"))
            except (QueueFull, WireError) as error:
                log.error("an event is not told", id=value.id, error=str(error))
            if self._waiting and self._waiting[0] is value:
                self._waiting.popleft()

    def _add(self, value: Event | Job) -> None:
        if len(self._waiting) == MOST:
            log.error("an event is not told", id=self._waiting.popleft().id, error="too many wait")
        self._waiting.append(value)
        self._news.set()
