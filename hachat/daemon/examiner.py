"""Looks again and again whether Redis is set up so that the promises hold, and says when that changes."""

from __future__ import annotations

import structlog
import trio
from msgspec.structs import replace

from hachat.core.diagnosis import find_unsafe
from hachat.core.errors import StoreError
from hachat.core.settings import Settings
from hachat.store.examination import examine
from hachat.store.link import Link
from hachat.store.status import Status
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

EVERY = 30.0
"""Seconds between two looks; a change of the master is looked at soon."""

SOON = 2.0
"""Seconds after a change of the master, in which replicas turn to the new one."""


class Examiner:
    """Examines the Redis of `link`; `unsafe` has a sentence for each thing that was not safe at the last look.

    Every node looks: each has its own way to Redis and the Sentinels, and a standby is the master of the next minute.
    """

    def __init__(self, link: Link, settings: Settings) -> None:
        self.unsafe: list[str] = []
        self._link = link
        self._settings = settings

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look for ever."""
        task_status.started()
        while True:
            await self.look()
            with trio.move_on_after(EVERY) as waiting:
                await self._link.source.wait_changed()
            if not waiting.cancelled_caught:
                await trio.sleep(SOON)

    async def look(self) -> None:
        """Look once; where Redis does not answer, what was seen before stands."""
        try:
            facts = await examine(self._link)
        except StoreError as error:
            report(log, "cannot examine Redis", error)
            return
        unsafe = find_unsafe(facts, self._settings.redis, self._settings.lease)
        for reason in unsafe:
            if reason not in self.unsafe:
                log.warning("Redis is not set up safely", reason=reason)
        if self.unsafe and not unsafe:
            log.info("Redis is set up safely again")
        self.unsafe = unsafe

    def complete(self, status: Status) -> Status:
        """Return `status` with what is unsafe."""
        return replace(status, unsafe=self.unsafe)
