"""Where the records of a backup stand in Redis: of each kind they can be listed, found by their names, and put there.

Putting is compare-and-set: it is done if what is there is still what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec

from hachat.core.backup import Member, Met, Place, Record, Timer, Value
from hachat.store import timers
from hachat.store.groups import Groups, Membership
from hachat.store.memory import Change, Memory
from hachat.store.people import Directory, Kind
from hachat.store.rooms import Rooms

R = TypeVar("R", bound=Record)


class Shelf(Protocol[R]):
    """Records of one kind.  Whatever is asked raises StoreError where Redis does not answer, or says no."""

    def name(self, record: R) -> str:
        """Return the name under which `record` stands here, and no other."""
        ...

    async def list_names(self) -> Sequence[str]:
        """Return the names of all, always in the same order."""
        ...

    async def find(self, names: Sequence[str]) -> list[R | None]:
        """Return what stands under so few `names`, each as it was at one moment."""
        ...

    async def put(self, record: R, there: R | None) -> bool:
        """Put `record` in the place of what is `there`; False if something else is.

        Raises:
            HachatError: there is no room for it.
        """
        ...


class Values:
    """What one handler remembers at the moment `now`, Unix seconds."""

    def __init__(self, memory: Memory, handler: str, now: float) -> None:
        self._memory = memory
        self._handler = handler
        self._now = now

    def name(self, record: Value) -> str:
        """Return the key."""
        return record.key

    async def list_names(self) -> Sequence[str]:
        """Return the keys."""
        return await self._memory.list_keys(self._handler)

    async def find(self, names: Sequence[str]) -> list[Value | None]:
        """Return what is remembered under some keys."""
        found = await self._memory.read_ends(self._handler, names)
        return [
            Value(self._handler, name, msgspec.Raw(value), until)
            if value is not None and not 0 < until <= self._now
            else None
            for name, (value, until) in zip(names, found, strict=True)
        ]

    async def put(self, record: Value, there: Value | None) -> bool:
        """Have it remembered."""
        change = Change(
            record.key,
            "replace",
            bytes(record.value),
            life=0.0,
            until=record.until or None,
            expected=bytes(there.value) if there else None,
        )
        return (await self._memory.change(record.handler, change)).done


class People:
    """Users or rooms that were met."""

    def __init__(self, directory: Directory, kind: Kind) -> None:
        self._directory = directory
        self._kind: Kind = kind

    def name(self, record: Met) -> str:
        """Return the address."""
        return record.known.address

    async def list_names(self) -> Sequence[str]:
        """Return the addresses."""
        return await self._directory.list_addresses()

    async def find(self, names: Sequence[str]) -> list[Met | None]:
        """Return who, or what, has some addresses."""
        found = await self._directory.find(names)
        return [Met(self._kind, known) if known else None for known in found]

    async def put(self, record: Met, there: Met | None) -> bool:  # noqa: ARG002 - what was seen later stays in any case
        """Note it, unless it was seen later since."""
        # First when it was met first, which stays, and then when last.
        known = record.known
        await self._directory.note([msgspec.structs.replace(known, last=known.first), known])
        return True


class Members:
    """Who was taken into groups in chat."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    def name(self, record: Member) -> str:
        """Return the group and the address."""
        return f"{record.group}|{record.user}"

    async def list_names(self) -> Sequence[str]:
        """Return all groups and addresses."""
        return sorted("|".join(key) for key in await self._groups.read())

    async def find(self, names: Sequence[str]) -> list[Member | None]:
        """Return who is in a group."""
        members = {
            "|".join(key): Member(*key, membership.at, membership.by)
            for key, membership in (await self._groups.read()).items()
        }
        return [members.get(name) for name in names]

    async def put(self, record: Member, there: Member | None) -> bool:
        """Take somebody into a group, as it was done then."""
        before = Membership(there.at, there.by) if there else None
        key = record.group, record.user
        return await self._groups.put(key, Membership(record.at, record.by), before)


class Places:
    """Where the bot is to be on one chat service, and not to be."""

    def __init__(self, rooms: Rooms, adapter: str) -> None:
        self._rooms = rooms
        self._adapter = adapter

    def name(self, record: Place) -> str:
        """Return the room."""
        return record.room

    async def list_names(self) -> Sequence[str]:
        """Return the rooms."""
        return sorted(await self._rooms.read(self._adapter))

    async def find(self, names: Sequence[str]) -> list[Place | None]:
        """Return whether the bot is to be in some rooms."""
        rooms = await self._rooms.read(self._adapter)
        return [
            Place(self._adapter, name, rooms[name]) if name in rooms else None for name in names
        ]

    async def put(self, record: Place, there: Place | None) -> bool:
        """Have the bot be there, or not, from its next connection on."""
        before = {there.room: there.key} if there else {}
        return await self._rooms.put(record.adapter, record.room, record.key, before)


class Waiting:
    """Timers of handlers that wait."""

    def __init__(self, waiting: timers.Timers) -> None:
        self._timers = waiting

    def name(self, record: Timer) -> str:
        """Return the id."""
        return record.id

    async def list_names(self) -> Sequence[str]:
        """Return the ids, in the order in which they are due."""
        return await self._timers.list_ids()

    async def find(self, names: Sequence[str]) -> list[Timer | None]:
        """Return the timers of some ids."""
        found = await self._timers.find(names)
        return [
            Timer(name, timer.due, timer.job) if timer else None
            for name, timer in zip(names, found, strict=True)
        ]

    async def put(self, record: Timer, there: Timer | None) -> bool:
        """Have it wait."""
        before = timers.Timer(there.at, there.job) if there else None
        return await self._timers.put(record.id, timers.Timer(record.at, record.job), before)
