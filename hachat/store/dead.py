"""Dead letters: what was given up, kept with its reason until somebody retries or drops it.

A letter is an entry of the stream `dead`, written by whoever gave a message or a reply up.  Everything here is an
operator's business and none of the daemon's hot paths.  To move a letter is one script: it goes where it waited and
out of the stream, or nothing happens.  Asking again after a lost answer finds it gone, and moves nothing twice.
"""

from __future__ import annotations

import msgspec

from hachat.core.errors import QueueFull
from hachat.core.messages import Inbound, Job, Message, Reply
from hachat.core.phrases import Phrase
from hachat.core.settings import QueueSettings
from hachat.store.commits import mark
from hachat.store.keys import Keys, Lane
from hachat.store.letter import (
    Letter,
    Page,
    Query,
    check_entry,
    read_letter,
    split_entry,
)
from hachat.store.link import Link
from hachat.store.scripts import load

_REQUEUE, _RESEND, _DROP, _TRIM = map(
    load, ("dead_requeue", "dead_resend", "dead_drop", "dead_trim")
)

PAGE = 100
"""Letters read at once; each may hold 256 KiB."""

SCAN = 10_000
"""Letters one search goes through; where it stopped, the next one goes on."""

CUT = 10_000
"""Letters cut at once; Redis serves nobody else meanwhile."""


class DeadLetters:
    """The dead letters of a cluster; `limits` say how many are kept, and what is full."""

    def __init__(self, link: Link, keys: Keys, limits: QueueSettings) -> None:
        self.limits = limits
        self._link = link
        self._keys = keys

    async def count(self) -> int:
        """Return how many there are.

        Raises:
            StoreError: Redis cannot be asked.
        """
        length: int = await self._link.command("XLEN", self._keys.of("dead"))
        return length

    async def find(self, query: Query, most: int, after: str = "") -> Page:
        """Return at most `most` of the letters `query` means, those behind the entry `after`.

        Raises:
            UsageError: `after` is not the id of a letter.
            StoreError: Redis cannot be asked.
        """
        cursor = check_entry(after) if after else ""
        oldest = await self._oldest(query.since)
        found: list[Letter] = []
        for _ in range(SCAN // PAGE):
            letters = await self._read_page(cursor, oldest, oldest_first=query.oldest_first)
            for letter in letters:
                cursor = letter.entry
                if query.matches(letter):
                    found.append(letter)
                    if len(found) == most:
                        return Page(found, cursor)
            if len(letters) < PAGE:
                return Page(found, "")
        return Page(found, cursor)

    async def read(self, entry: str) -> Letter | None:
        """Return a letter, or None when there is none (any more).

        Raises:
            UsageError: `entry` is not the id of a letter.
            StoreError: Redis cannot be asked.
        """
        entry = check_entry(entry)
        answer = await self._link.command("XRANGE", self._keys.of("dead"), entry, entry)
        return read_letter(*answer[0]) if answer else None

    async def retry(self, entry: str, by: str) -> bool:
        """Put a letter back where it waited, its failures and deaths forgotten; False when it is gone.

        Of a message only the routes in `only` are run again, if there are any: the others have ended well.  `by` is who
        wants it.  After an answer that was lost the letter is gone, or may be retried again.

        Raises:
            QueueFull: there is no room where it waited, or another part of it is still to be tried again.
            WireError: it cannot be read.
            UsageError: `entry` is not the id of a letter.
            StoreError: Redis did not answer, or said no.
        """
        letter = await self.read(entry)
        if letter is None:
            return False
        value = letter.open()
        if isinstance(value, Reply):
            return await self._resend(letter, value, by)
        return await self._requeue(letter, await self._renew(value, letter.entry), by)

    async def drop(self, entry: str, by: str) -> bool:
        """Drop a letter for good; False when it is gone.

        Raises:
            UsageError: `entry` is not the id of a letter.
            StoreError: Redis did not answer, or said no.
        """
        of = self._keys.of
        answer = await self._link.script(
            _DROP, (of("dead"), of("trail"), of("audit")), (check_entry(entry), by)
        )
        return bool(answer == b"DONE")

    async def trim(self) -> int:
        """Cut the oldest letters beyond the limit, and return how many.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        keys = (self._keys.of("dead"), self._keys.of("counters"))
        cut: int = await self._link.script(_TRIM, keys, (self.limits.dead, CUT))
        return cut

    async def read_clock(self) -> float:
        """Return Redis's time, Unix seconds, from which the ages of letters count.

        Raises:
            StoreError: Redis cannot be asked.
        """
        seconds, microseconds = await self._link.command("TIME")
        return int(seconds) + int(microseconds) / 1_000_000

    async def _renew(self, value: Inbound, entry: str) -> Inbound:
        """Return `value` as if it had just come."""
        if not isinstance(value, Job):  # a job's time is the one it was meant for
            # Else it would be refused as too old to be answered.
            value = msgspec.structs.replace(value, at=await self.read_clock())
        return msgspec.structs.replace(value, attempt=0, retried=entry)

    async def _requeue(self, letter: Letter, value: Inbound, by: str) -> bool:
        lane: Lane = "chat" if isinstance(value, Message) else "work"
        # As `Inbound.enqueue` does: work may fill its lane with a single conversation.
        mailbox = self.limits.mailbox if lane == "chat" else self.limits.depth
        of = self._keys.of
        names = ("counters", "deaths", "said", "trail", "audit")
        keys = (of("dead"), self._keys.mailbox(value.conversation), self._keys.ready(lane))
        answer = await self._link.script(
            _REQUEUE,
            (*keys, *map(of, names)),
            (
                *(letter.entry, lane, self.limits.depth, mailbox),
                *(value.conversation, value.id, mark(value), by),
            ),
        )
        if answer == b"FULL":
            raise QueueFull(
                Phrase(
                    "{count} messages are waiting in lane {lane}",
                    count=self.limits.depth,
                    lane=lane,
                )
            )
        if answer == b"AGAIN":
            raise QueueFull(
                Phrase(
                    "another part of {id} is still to be tried again; retry this when that has ended",
                    id=value.id,
                )
            )
        if answer == b"BUSY":
            raise QueueFull(
                Phrase(
                    "{count} messages are waiting in {place}",
                    count=mailbox,
                    place=value.conversation,
                )
            )
        return bool(answer == b"DONE")

    async def _resend(self, letter: Letter, reply: Reply, by: str) -> bool:
        of = self._keys.of
        names = ("outready", "counters", "bell", "trail", "audit")
        answer = await self._link.script(
            _RESEND,
            (of("dead"), self._keys.outbox(reply.room), *map(of, names)),
            (letter.entry, self.limits.outbox, reply.room, reply.id, mark(reply), by),
        )
        if answer == b"BUSY":
            raise QueueFull(
                Phrase(
                    "{count} replies are waiting in {place}",
                    count=self.limits.outbox,
                    place=reply.room,
                )
            )
        return bool(answer == b"DONE")

    async def _oldest(self, since: float | None) -> str:
        """Return the id that the oldest letter may have, by Redis's clock."""
        if since is None:
            return "-"
        return str(max(0, int((await self.read_clock() - since) * 1000)))

    async def _read_page(self, cursor: str, oldest: str, *, oldest_first: bool) -> list[Letter]:
        beyond = f"({cursor}" if cursor else ""
        dead = self._keys.of("dead")
        if not oldest_first:
            command = ("XREVRANGE", dead, beyond or "+", oldest, "COUNT", PAGE)
        else:
            command = ("XRANGE", dead, _later(beyond, oldest), "+", "COUNT", PAGE)
        return [read_letter(entry, fields) for entry, fields in await self._link.command(*command)]


def _later(beyond: str, oldest: str) -> str:
    """Return the later of two beginnings of a range; an empty one and `-` are before all others."""
    if not beyond or oldest == "-":
        return beyond or oldest
    return max(beyond, oldest, key=lambda end: split_entry(end.removeprefix("(")))
