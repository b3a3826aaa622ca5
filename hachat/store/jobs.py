"""What is to be queued later: jobs that wait until they are due, and the slots of schedules.

Any node moves what is due into the inbound queue; each step is one script, so it happens once, whichever node was
first.  All times are those of Redis's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from hashlib import sha1
from itertools import chain

import msgspec
import structlog

from hachat.core.errors import QueueFull
from hachat.core.messages import Job
from hachat.store.commits import MOST_JOBS, Later, mark, pack_job, unpack_job
from hachat.store.keys import LANES, Keys, Lane
from hachat.store.link import Link
from hachat.store.scripts import load

log = structlog.get_logger(__name__)

_SCHEDULE, _CANCEL, _PROMOTE, _BEGIN, _FIRE = map(
    load, ("job_schedule", "job_cancel", "jobs_promote", "slots_begin", "slot_fire")
)

MOST_WAITING = 100
"""Jobs that may wait in the mailbox of a schedule; a handler that cannot keep up misses slots after that."""

PUT_OFF = 60.0
"""Seconds until a job is tried again that could not be moved into its mailbox."""

GONE = 60.0
"""Seconds after its next slot from which on a schedule counts as one that no handler has any more."""

REMEMBERED = 3600.0
"""Seconds for which scheduling the very same job again is recognised after it was moved."""

_PAGE = 100


class Waiting(msgspec.Struct, frozen=True):
    """A job that waits until `due`, Unix seconds; `what` is the route of a job, or the conversation of anything else.

    `attempt` counts the runs that failed before.
    """

    id: str
    due: float
    lane: str
    what: str
    attempt: int = 0


class Agenda(msgspec.Struct, frozen=True):
    """What is still to come at the moment `at`: jobs, and of each schedule the slot fired last, all Unix seconds.

    A schedule that has not been fired yet has the moment when it was first seen.  `upcoming` are the next slots of those
    that have one and that a handler still has.
    """

    at: float
    jobs: Sequence[Waiting]
    schedules: Mapping[str, float]
    upcoming: Mapping[str, float] = {}


class Promoted(msgspec.Struct, frozen=True):
    """What moving jobs has come to: Redis's time in Unix milliseconds, seconds until the next is due, how many moved."""

    now: int
    wait: float | None
    moved: int


class Firing(Enum):
    """What became of a slot; see `slot_fire.lua`."""

    FIRED = b"FIRED"
    PAST = b"PAST"
    BUSY = b"BUSY"


class Jobs:
    """The jobs and slots of one cluster; at most `most` jobs wait."""

    def __init__(self, link: Link, keys: Keys, most: int = MOST_JOBS) -> None:
        self._link = link
        self._keys = keys
        self._most = most

    async def schedule(self, later: Later) -> None:
        """Keep a job until it is due, or take it back.

        Raises:
            QueueFull: too many jobs wait.
            WireError: it is too large.
            StoreError: Redis did not take it; asking again is safe.
        """
        if later.value is None:
            await self.cancel(later.id)
            return
        data = pack_job(later.lane, later.value)
        answer = await self._link.script(
            _SCHEDULE,
            self._of_job(later.id),
            (
                *(self._most, later.id, round(later.delay * 1000), data),
                *(sha1(data, usedforsecurity=False).hexdigest(), int(REMEMBERED * 1000)),
            ),
        )
        if answer == b"FULL":
            raise QueueFull(f"{self._most} jobs are waiting; cancel some, or try again later")

    async def cancel(self, job_id: str) -> bool:
        """Take back a job; False when none waits under that id, so also when a lost answer is asked for again.

        Raises:
            StoreError: Redis did not answer; asking again is safe.
        """
        return bool(
            await self._link.script(
                _CANCEL, (*self._of_job(job_id), self._keys.of("said")), (job_id,)
            )
        )

    async def waiting(self, most: int = 1000) -> list[Waiting]:
        """Return the jobs that are due next, at most `most`, in the order in which they are due.

        Raises:
            StoreError: Redis did not answer.
        """
        answer = await self._link.command(
            "ZRANGE", self._keys.of("jobs"), 0, most - 1, "WITHSCORES"
        )
        ids, scores = answer[::2], answer[1::2]
        found: list[Waiting] = []
        for start in range(0, len(ids), _PAGE):
            page = slice(start, start + _PAGE)
            values = await self._link.command("HMGET", self._keys.of("jobdata"), *ids[page])
            found += _read_page(ids[page], scores[page], values)
        return found

    async def first_due(self) -> int | None:
        """Return when the next job is due, in Unix milliseconds of Redis; None if none waits.

        Raises:
            StoreError: Redis did not answer.
        """
        first = await self._link.command("ZRANGE", self._keys.of("jobs"), 0, 0, "WITHSCORES")
        return int(float(first[1])) if first else None

    async def now(self) -> int:
        """Return Redis's time in Unix milliseconds.

        Raises:
            StoreError: Redis did not answer.
        """
        seconds, micros = await self._link.command("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def promote(self, most: int) -> Promoted:
        """Move at most `most` jobs that are due into the inbound queue.

        One that cannot be moved is told in the log and tried again after `PUT_OFF` seconds; it holds up no other.

        Raises:
            StoreError: Redis did not answer; asking again is safe.
        """
        now, wait, moved, *faults = await self._link.script(
            _PROMOTE,
            (
                *map(self._keys.of, ("jobs", "jobdata", "counters")),
                *map(self._keys.ready, LANES),
            ),
            (most, int(PUT_OFF * 1000), self._keys.mailbox(""), *LANES),
        )
        for job_id, fault in zip(faults[::2], faults[1::2], strict=True):
            job, error = job_id.decode("utf-8", "replace"), fault.decode("utf-8", "replace")
            log.error("a job that is due cannot be queued", job=job, error=error)
        return Promoted(now, wait / 1000 if wait >= 0 else None, moved)

    async def begin(self, schedules: Sequence[str]) -> dict[str, int]:
        """Return of each schedule the slot that was fired last, in Unix milliseconds; a new one begins now.

        Raises:
            StoreError: Redis did not answer; asking again is safe.
        """
        if not schedules:
            return {}
        answer = await self._link.script(_BEGIN, (self._keys.of("slots"),), schedules)
        return {name: int(last) for name, last in zip(schedules, answer, strict=True)}

    async def fire(self, schedule: str, slot: int, job: Job, lane: Lane = "work") -> Firing:
        """Queue the job of a slot, given in Unix milliseconds, unless that slot or a later one was fired before.

        Raises:
            WireError: the job is too large.
            StoreError: Redis did not answer, or said no; asking again is safe, and says `PAST` if it had been done.
        """
        of, conversation = self._keys.of, job.conversation
        answer = await self._link.script(
            _FIRE,
            (of("slots"), of("counters"), self._keys.ready(lane), self._keys.mailbox(conversation)),
            (schedule, slot, lane, conversation, MOST_WAITING, mark(job)),
        )
        return Firing(answer)

    async def agenda(self, most: int = 1000) -> Agenda:
        """Return what is still to come; of the jobs at most `most`.

        Raises:
            StoreError: Redis did not answer.
        """
        schedules, upcoming = await self._read_slots("slots"), await self._read_slots("slots:next")
        now = await self.now() / 1000
        # Nobody fires those of handlers that are gone, nor computes the next.
        upcoming = {name: slot for name, slot in upcoming.items() if slot > now - GONE}
        return Agenda(now, await self.waiting(most), schedules, upcoming)

    async def announce(self, upcoming: Mapping[str, int | None]) -> None:
        """Note of at least one schedule the next slot, in Unix milliseconds, for people who ask what is still to come.

        Raises:
            StoreError: Redis did not answer, or said no; asking again is safe.
        """
        pairs = [(name, "" if slot is None else slot) for name, slot in upcoming.items()]
        await self._link.command("HSET", self._keys.of("slots:next"), *chain.from_iterable(pairs))

    async def _read_slots(self, key: str) -> dict[str, float]:
        answer = await self._link.command("HGETALL", self._keys.of(key))
        pairs = sorted(zip(answer[::2], answer[1::2], strict=True))
        return {name.decode("utf-8", "replace"): int(slot) / 1000 for name, slot in pairs if slot}

    def _of_job(self, job_id: str) -> tuple[str, ...]:
        of = self._keys.of
        return of("jobs"), of("jobdata"), self._keys.seen(f"later:{job_id}")


def _read_page(
    ids: Sequence[bytes], scores: Sequence[bytes], values: Sequence[bytes | None]
) -> Iterator[Waiting]:
    for job_id, score, data in zip(ids, scores, values, strict=True):
        if data is not None:  # else it became due between the two questions
            lane, what, attempt = _read_job(data)
            yield Waiting(
                job_id.decode("utf-8", "replace"), float(score) / 1000, lane, what, attempt
            )


def _read_job(data: bytes) -> tuple[str, str, int]:
    lane, conversation, value = unpack_job(data)
    if value is None:
        return lane, conversation, 0
    return lane, value.route if isinstance(value, Job) else value.conversation, value.attempt
