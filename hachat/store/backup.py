"""Reads out of Redis what a backup holds, and brings it back, while the cluster works.

What is there already is left alone, unless it is to be replaced, so restoring twice changes nothing more.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from hachat.core.backup import Member, Met, Place, Record, Timer, Value
from hachat.store.commits import MOST_JOBS, Later
from hachat.store.dialogs import is_expiry
from hachat.store.groups import Groups
from hachat.store.jobs import Jobs
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.memory import Change, Memory
from hachat.store.people import KINDS, Directory
from hachat.store.rooms import Rooms

_PAGE = 100

Fate = Literal["written", "there already", "over"]
"""What became of a record: it was written, or not because something else is there, or because its time has passed."""


class Archive:
    """What lives in the Redis of one cluster alone; `adapters` are the names of its chat services."""

    def __init__(self, link: Link, keys: Keys, adapters: Sequence[str]) -> None:
        self._adapters = adapters
        self._memory = Memory(link, keys)
        self._people = {kind: Directory(link, keys, kind) for kind in KINDS}
        self._groups = Groups(link, keys)
        self._rooms = Rooms(link, keys)
        self._jobs = Jobs(link, keys)

    async def read(self) -> list[Record]:
        """Return all that there is; each record as it was at some moment meanwhile.

        Raises:
            StoreError: Redis did not answer.
        """
        records: list[Record] = []
        for size in await self._memory.measure():
            records += await self._read_values(size.handler)
        for kind in KINDS:
            records += [Met(kind, known) async for known in self._people[kind].walk()]
        for (group, user), membership in (await self._groups.read()).items():
            records.append(Member(group, user, membership.by))
        for adapter in self._adapters:
            rooms = await self._rooms.read(adapter)
            records += [Place(adapter, room, key) for room, key in rooms.items()]
        return records + await self._read_timers()

    async def _read_values(self, handler: str) -> list[Record]:
        found: list[Record] = []
        names = await self._memory.list_keys(handler)
        for start in range(0, len(names), _PAGE):
            page = names[start : start + _PAGE]
            values = await self._memory.read(handler, page)
            ends = await self._memory.read_ends(handler, page)
            found += [
                Value(handler, name, msgspec.Raw(value), end)
                for name, value, end in zip(page, values, ends, strict=True)
                if value is not None
            ]
        return found

    async def _read_timers(self) -> list[Record]:
        # What waits beside them is on its way: tries of messages, and the ends of questions.
        waiting = await self._jobs.waiting(MOST_JOBS)
        jobs = await self._jobs.find([one.id for one in waiting])
        return [
            Timer(one.id, one.due, job)
            for one in waiting
            if (job := jobs.get(one.id)) is not None and not is_expiry(job)
        ]

    async def write(
        self, records: Iterable[Record], *, replace: bool = False
    ) -> Counter[tuple[str, Fate]]:
        """Bring `records` back, and return what became of how many of each kind.

        Raises:
            HachatError: Redis did not answer, or has no room for it; what came before is there, and it may be tried again.
        """
        counts: Counter[tuple[str, Fate]] = Counter()
        waiting = {one.id for one in await self._jobs.waiting(MOST_JOBS)}
        for record in records:
            there = isinstance(record, Timer) and record.id in waiting
            fate: Fate = (
                "there already"
                if there and not replace
                else await self._put(record, replace=replace)
            )
            counts[str(record.__struct_config__.tag), fate] += 1
        return counts

    async def _put(self, record: Record, *, replace: bool) -> Fate:
        match record:
            case Value():
                return await self._remember(record, replace=replace)
            case Met(which, known):
                # First when it was met first, which stays, and then when last.
                for moment in (known.first, known.last):
                    await self._people[which].note([msgspec.structs.replace(known, last=moment)])
                return "written"
            case Member(group, user, by):
                added = await self._groups.change("add", group, user, by)
                return "written" if added else "there already"
            case Place():
                return await self._send(record, replace=replace)
            case Timer(id_, at, job):
                if (left := at - time.time()) <= 0:
                    return "over"
                await self._jobs.schedule(Later(id_, left, "work", job))
                return "written"

    async def _remember(self, record: Value, *, replace: bool) -> Fate:
        life = record.until - time.time() if record.until else 0.0
        if life < 0:
            return "over"
        how: Literal["set", "replace"] = "set" if replace else "replace"
        change = Change(record.key, how, bytes(record.value), life)
        done = (await self._memory.change(record.handler, change)).done
        return "written" if done else "there already"

    async def _send(self, record: Place, *, replace: bool) -> Fate:
        known = await self._rooms.read(record.adapter)
        if record.room in known and not replace:
            return "there already"
        if record.key is None:
            await self._rooms.part(record.adapter, record.room)
        else:
            await self._rooms.join(record.adapter, record.room, record.key)
        return "written"
