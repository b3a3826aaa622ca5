"""Reads out of Redis what a backup holds, and brings it back, while the cluster works.

A page of records is in memory at a time.  What is there already is left alone, unless it is to be replaced; restored twice,
nothing changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from itertools import groupby, islice
from typing import Any, Literal, TypeAlias

from hachat.core.backup import Member, Met, Place, Record, Timer, Value, name_kind
from hachat.core.errors import UsageError
from hachat.store.groups import Groups
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.memory import Memory
from hachat.store.people import KINDS, Directory, Kind
from hachat.store.rooms import Rooms
from hachat.store.schedule import read_time
from hachat.store.shelves import Members, People, Places, Shelf, Values, Waiting
from hachat.store.timers import Timers

_PAGE = 100  # records of 256 KiB at most

Fate: TypeAlias = Literal["new", "different", "seen later since", "there already", "over"]
"""How a record stands to what is in Redis: nothing is there, something else, or the same; or its time has passed.

Of users and rooms what was seen later stays in any case.
"""

Counts: TypeAlias = Counter[tuple[str, Fate]]
"""Of each kind of record, how many have met which fate."""

Location: TypeAlias = tuple[type[Record], str]
"""Of what kind a record is, and of which handler, kind of people or adapter."""


class Archive:
    """What lives in the Redis of one cluster alone; `adapters` are the names of its chat services."""

    def __init__(self, link: Link, keys: Keys, adapters: Sequence[str]) -> None:
        self._adapters = sorted(adapters)
        self._link = link
        self._keys = keys
        self._memory = Memory(link, keys)

    async def read(self) -> AsyncGenerator[Record, None]:
        """Yield all that there is, in a fixed order; each record is as it was at some moment meanwhile.

        Raises:
            StoreError: Redis did not answer.
        """
        now = await read_time(self._link)
        for location in await self._list_locations():
            shelf = self._open(location, now)
            names = await shelf.list_names()
            for start in range(0, len(names), _PAGE):
                for record in await _find(shelf, names[start : start + _PAGE]):
                    if record is not None:
                        yield record

    async def compare(self, records: Iterable[Record]) -> Counts:
        """Return how `records` stand to what is there, and change nothing.

        Raises:
            StoreError: Redis did not answer.
        """
        counts: Counts = Counter()
        async with aclosing(self._judge(records)) as judged:
            async for _, record, _, fate in judged:
                counts[name_kind(record), fate] += 1
        return counts

    async def write(self, records: Iterable[Record], *, replace: bool = False) -> Counts:
        """Put those of `records` that are new, with `replace` the different ones too; return what was put.

        What somebody changes at that very moment stays.

        Raises:
            HachatError: Redis did not answer, or has no room for it; what came before is there, and it may be tried again.
        """
        counts: Counts = Counter()
        async with aclosing(self._judge(records)) as judged:
            async for shelf, record, there, fate in judged:
                if fate == "new" or (replace and fate == "different"):
                    counts[name_kind(record), fate] += await shelf.put(record, there)
        return counts

    async def _judge(
        self, records: Iterable[Record]
    ) -> AsyncGenerator[tuple[Shelf[Record], Record, Record | None, Fate], None]:
        now = await read_time(self._link)
        for location, page in _paginate(records):
            shelf = self._open(location, now)
            found = await _find(shelf, [shelf.name(record) for record in page])
            for record, there in zip(page, found, strict=True):
                yield shelf, record, there, _compare(record, there, now)

    async def _list_locations(self) -> list[Location]:
        return [
            *((Value, size.handler) for size in await self._memory.measure()),
            *((Met, kind) for kind in KINDS),
            (Member, ""),
            *((Place, adapter) for adapter in self._adapters),
            (Timer, ""),
        ]

    def _open(self, location: Location, now: float) -> Shelf[Any]:
        kind, part = location
        if kind is Value:
            return Values(self._memory, part, now)
        if kind is Met:
            which: Kind = "users" if part == "users" else "rooms"
            return People(Directory(self._link, self._keys, which), which)
        if kind is Member:
            return Members(Groups(self._link, self._keys))
        if kind is Place:
            return Places(Rooms(self._link, self._keys), part)
        return Waiting(Timers(self._link, self._keys))


async def _find(shelf: Shelf[Record], names: Sequence[str]) -> Sequence[Record | None]:
    try:
        return await shelf.find(names)
    except ValueError as error:
        among = f"{names[0]!r} to {names[-1]!r}"
        raise UsageError(
            f"what is in Redis under one of {among} was not written by hachat: {error}; mend it, or delete it"
        ) from None


def _locate(record: Record) -> Location:
    match record:
        case Value(handler):
            return Value, handler
        case Met(which):
            return Met, which
        case Place(adapter):
            return Place, adapter
        case Member() | Timer():
            return type(record), ""


def _paginate(records: Iterable[Record]) -> Iterator[tuple[Location, Sequence[Record]]]:
    """Yield pages of records that stand in one place and follow one another."""
    for location, group in groupby(records, _locate):
        while page := list(islice(group, _PAGE)):
            yield location, page


def _compare(record: Record, there: Record | None, now: float) -> Fate:
    if there == record:
        return "there already"
    if _is_over(record, now):
        return "over"
    if isinstance(there, Met) and isinstance(record, Met):
        return "new" if there.known.last < record.known.last else "seen later since"
    return "new" if there is None else "different"


def _is_over(record: Record, now: float) -> bool:
    match record:
        case Timer(at=ends) | Value(until=ends):
            return 0 < ends <= now
        case _:
            return False
