"""The timers that handlers have set and that still wait, told apart from what else is due later.

That is on its way: tries of what failed, the ends of questions, events.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hachat.core.errors import QueueFull
from hachat.core.messages import Job
from hachat.store.commits import MOST_JOBS, pack_job, unpack_job
from hachat.store.dialogs import is_expiry
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import load

_PUT, _READ = load("job_put"), load("scored_read")


class Timer(msgspec.Struct, frozen=True):
    """A job that is due at the moment `due`, Unix seconds."""

    due: float
    job: Job


class Timers:
    """The timers of one cluster."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._names = keys.of("jobdata"), keys.of("jobs")

    async def list_ids(self) -> list[str]:
        """Return the ids of all that is due later, in the order in which it is due; not all are timers.

        Raises:
            StoreError: Redis did not answer.
        """
        ids = await self._link.command("ZRANGE", self._names[1], 0, -1)
        return [id_.decode("utf-8", "replace") for id_ in ids]

    async def find(self, ids: Sequence[str]) -> list[Timer | None]:
        """Return the timers of so few `ids`, None for one that is none, or does not wait.

        Raises:
            StoreError: Redis did not answer.
        """
        jobs, dues = await self._link.script(_READ, self._names, ids)
        return [_read(data, due) for data, due in zip(jobs, dues, strict=True)]

    async def put(self, id_: str, timer: Timer, there: Timer | None) -> bool:
        """Have `timer` wait, if what waits under its id is `there` now; False if it is not.  It may be done again.

        Raises:
            QueueFull: too many jobs wait.
            WireError: it is too large.
            StoreError: Redis did not answer, or said no.
        """
        expected = round(there.due * 1000) if there else ""
        data = pack_job("work", timer.job)
        answer = await self._link.script(
            _PUT, self._names[::-1], (MOST_JOBS, id_, round(timer.due * 1000), data, expected)
        )
        if answer == b"FULL":
            raise QueueFull(f"{MOST_JOBS} jobs are waiting; cancel some, or try again later")
        return bool(answer == b"DONE")


def _read(data: bytes | None, due: bytes | None) -> Timer | None:
    value = unpack_job(data)[2] if data is not None else None
    if due is None or not isinstance(value, Job) or value.attempt or is_expiry(value):
        return None
    return Timer(float(due) / 1000, value)
