"""A step-down that is ordered for a time: how it is ordered, and the master's watch over it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
import trio

from hachat.cluster.candidates import find_candidates
from hachat.cluster.stepdown import check_master
from hachat.core.errors import StoreError, UsageError
from hachat.core.lease import Token
from hachat.core.spans import parse_span
from hachat.core.stepdown import Order
from hachat.store.keys import Keys
from hachat.store.lease import LeaseView
from hachat.store.link import Link
from hachat.store.schedule import LATE, Scheduled, look, read_time, schedule
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

LOOK = 3.0
"""Seconds between two looks at what is scheduled, unless something is due before."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as it is ordered: `at`, in Unix seconds, or else so many seconds `after` now."""

    at: float | None = None
    after: float = 0.0


def read_moment(text: str) -> Moment:
    """Return the time that `2026-11-25T22:00`, in our own time zone, `2026-11-25T21:00Z` or `+10m` means.

    Raises:
        ValueError: it is none.
    """
    if text.startswith("+"):
        return Moment(after=parse_span(text[1:]))
    try:
        return Moment(at=datetime.fromisoformat(text).timestamp())
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no time such as 2026-11-25T22:00, 2026-11-25T21:00Z or +10m"
        ) from error


async def order_for(
    link: Link, keys: Keys, order: Order, moment: Moment, *, leaver: str = ""
) -> Scheduled:
    """Have the master of that time step down, if it is `leaver` then, where that is named.

    Raises:
        StepDownRefused: another one is scheduled, or it could not be done now.
        UsageError: the time has gone by.
        StoreError: Redis did not answer, or said no.
    """
    now = await read_time(link)
    due = now + moment.after if moment.at is None else moment.at
    if due < now:
        present = datetime.fromtimestamp(now, UTC)
        raise UsageError(f"that time has gone by: it is {present:%Y-%m-%dT%H:%M}Z")
    master = check_master(await LeaseView(link, keys).read_master(), leaver)
    if not order.force:
        await find_candidates(link, keys, master.node, order.to)
    return await schedule(link, keys, secrets.token_hex(8), due, order, leaver=leaver)


class ScheduleKeeper:
    """Carries out, while its node is the master `token`, what has become due; the request then comes as any other."""

    def __init__(self, link: Link, keys: Keys, token: Token) -> None:
        self._link = link
        self._keys = keys
        self._token = token

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                wait = await self._look()
            except StoreError as error:
                report(log, "cannot look for a scheduled step-down", error)
                wait = LOOK
            await trio.sleep(wait)

    async def _look(self) -> float:
        found = await look(self._link, self._keys, self._token)
        if found.kind == "ASKED":
            log.info("a scheduled step-down is due", order=found.order)
        elif found.kind == "CHANGED":
            log.warning(
                "a scheduled step-down was meant for another master and is dropped",
                order=found.order,
            )
        elif found.kind == "MISSED":
            log.warning(
                "a scheduled step-down was missed and is dropped", late=LATE, order=found.order
            )
        return min(LOOK, found.wait) if found.kind == "WAIT" else LOOK
