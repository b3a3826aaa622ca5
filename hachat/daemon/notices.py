"""Tells the admins, in a room of theirs, of what they should look at; the master does it.

Each subject knows how far it has been told, as a text that is kept in Redis, and makes one line of all that is new.  A
storm is a few lines: after each one its subject is silent for a while, longer if it goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog
import trio

from hachat.core.errors import StoreError
from hachat.store.notices import Notices
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

EVERY = 5.0
"""Seconds between two looks."""

QUIET = 60.0
"""Seconds between two lines about one subject, at first."""

LONGEST = 960.0
"""Seconds between two lines about one subject that goes on and on."""

Look = Callable[[str], Awaitable[tuple[str, str]]]
"""Takes how far a subject has been told; returns how far it can be now, and what to say about it, if anything."""


class NoticeKeeper:
    """Looks after subjects, by name, and tells what is new about them; `run` belongs into a master's term."""

    def __init__(self, notices: Notices, subjects: Mapping[str, Look]) -> None:
        self._notices = notices
        self._subjects = subjects
        self._paces = {name: Pace() for name in subjects}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                report(log, "cannot look for what admins are to be told", error)
            await trio.sleep(EVERY)

    async def look(self) -> None:
        """Tell what is new.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        told = await self._notices.read()
        for name, look in self._subjects.items():
            pace, before = self._paces[name], told.get(name, "")
            if pace.is_silent():
                continue
            now, line = await look(before)
            if now != before and await self._notices.tell(name, before, now, line) and line:
                log.info("admins are told", subject=name, line=line)
                pace.count()


class Pace:
    """When a subject may speak again: the silence doubles while it does so as soon as it may, up to `LONGEST`."""

    def __init__(self) -> None:
        self._until = -LONGEST
        self._gap = QUIET / 2

    def is_silent(self) -> bool:
        """Tell whether it is too early."""
        return trio.current_time() < self._until

    def count(self) -> None:
        """Take note that something was said."""
        now = trio.current_time()
        goes_on = now - self._until < self._gap
        self._gap = min(LONGEST, 2 * self._gap) if goes_on else QUIET
        self._until = now + self._gap
