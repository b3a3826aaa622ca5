"""Looks after the dead letters: warns while they become many, cuts what is too much, and logs the audit trail.

The master does it, so that each warning is in one log.  Nothing is cut that was not warned of one look earlier.
"""

from __future__ import annotations

import structlog
import trio

from hachat.core.errors import StoreError
from hachat.store.audit import Audit
from hachat.store.dead import DeadLetters
from hachat.store.limits import NEARLY
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

EVERY = 10.0
"""Seconds between two looks."""

_FACTS = (
    *("did", "by", "what", "route", "room", "id", "user", "group"),
    *("node", "to", "due", "reason", "letter", "kind", "origin"),
)

_AGAIN = 360
"""Looks after which a warning is repeated: an hour."""


class LetterKeeper:
    """Keeps the dead letters of a cluster within their limit; `run` belongs into a master's term."""

    def __init__(self, letters: DeadLetters, audit: Audit) -> None:
        self._letters = letters
        self._audit = audit
        self._quiet = 0
        self._warned_of_cut = False

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                report(log, "cannot look after the dead letters", error)
            await trio.sleep(EVERY)

    async def look(self) -> None:
        """Log what people did, and warn or cut if there are too many.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        await self._log_audit()
        count, limit = await self._letters.count(), self._letters.limits.dead
        if count > limit and self._warned_of_cut:
            if cut := await self._letters.trim():
                log.warning("dead letters were cut, the oldest first", cut=cut, kept=limit)
        else:
            self._warn(count, limit)

    async def _log_audit(self) -> None:
        while deeds := await self._audit.read_new():
            for deed in deeds:
                facts = {name: deed.facts[name] for name in _FACTS if name in deed.facts}
                log.info("audit", **facts, at=deed.at)
            await self._audit.mark_logged(deeds[-1])

    def _warn(self, count: int, limit: int) -> None:
        self._quiet -= 1
        if count < NEARLY * limit:
            self._quiet, self._warned_of_cut = 0, False
        elif self._quiet <= 0 or (count > limit and not self._warned_of_cut):
            log.warning(
                "dead letters become many; beyond the limit the oldest are cut",
                count=count,
                limit=limit,
            )
            self._quiet, self._warned_of_cut = _AGAIN, count > limit
