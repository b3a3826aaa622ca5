"""Users and rooms: noted as they are met, found by what people call them.

To note costs no round trip: what this node has noted lately it knows, and what is new goes to Redis many at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal, Protocol

import structlog
import trio

from hachat.core.errors import StoreError
from hachat.core.known import SHOWN, Known, choose, fold, read_id, read_name
from hachat.core.messages import Message, Room, User
from hachat.core.phrases import Say, say_english
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

REMEMBERED = 10_000
"""Users, and rooms, of which a node remembers that it has noted them."""

AGAIN = 600.0
"""Seconds after which one that was noted is noted again: by so much may be wrong when it was last seen."""

_BATCH = 100
_PAUSE = 1.0
_LONGEST = 200  # characters of an id or a name


class Directory(Protocol):
    """Where users or rooms are kept; `hachat.store.people.Directory` is one."""

    async def note(self, met: Sequence[Known]) -> None:
        """Note that all of them were seen."""
        ...

    async def get(self, adapter: str, id_: str) -> Known | None:
        """Return who has that id."""
        ...

    async def search(self, adapter: str, beginning: str, most: int) -> list[Known]:
        """Return whose names begin like that, sorted by them."""
        ...


class TransientDirectory:
    """A `Directory` that ends with the process."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    async def note(self, met: Sequence[Known]) -> None:
        """Note that all of them were seen."""
        self._known |= {one.address: one for one in met}

    async def get(self, adapter: str, id_: str) -> Known | None:
        """Return who has that id."""
        return self._known.get(f"{adapter}/{id_}")

    async def search(self, adapter: str, beginning: str, most: int) -> list[Known]:
        """Return whose names begin like that, sorted by them."""
        found = {
            (name, one.id): one
            for one in self._known.values()
            for name in one.names
            if one.adapter == adapter and not one.private and name.startswith(fold(beginning))
        }
        return list({found[name].id: found[name] for name in sorted(found)}.values())[:most]


class Noted:
    """The users or the rooms a node has noted, and those it has still to write into `directory`."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._noted: OrderedDict[str, Known] = OrderedDict()
        self._waiting: dict[str, Known] = {}
        self._writing = trio.Lock()

    def note(self, known: Known) -> bool:
        """Take note; return whether there is anything to write."""
        address = known.address
        before = self._noted.get(address)
        if before is not None and _is_same(before, known):
            return False
        if max(len(known.id), len(known.name)) > _LONGEST:
            return False
        self._noted[address] = self._waiting[address] = known
        self._noted.move_to_end(address)
        if len(self._noted) > REMEMBERED:
            oldest, _ = self._noted.popitem(last=False)
            self._waiting.pop(oldest, None)
        return True

    async def write(self) -> None:
        """Write what is new; after an error it is still to be written.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        async with self._writing:
            while batch := dict(list(self._waiting.items())[:_BATCH]):
                await self.directory.note(list(batch.values()))
                for address, known in batch.items():
                    if self._waiting.get(address) is known:
                        del self._waiting[address]


class People:
    """The users that were met, and the rooms; `run` writes what is new into their directories.

    Who cannot tell which is meant is told so with `say`, in the bot's language.
    """

    def __init__(
        self,
        users: Directory | None = None,
        rooms: Directory | None = None,
        *,
        say: Say = say_english,
    ) -> None:
        self._users = Noted(users or TransientDirectory())
        self._rooms = Noted(rooms or TransientDirectory())
        self._say = say
        self._news = trio.Event()

    def meet(self, message: Message) -> None:
        """Take note of who said something, and where."""
        user, room = message.user, message.room
        new = self._users.note(Known(room.adapter, user.id, user.name, last=message.at))
        there = Known(room.adapter, room.id, room.name, room.private, last=message.at)
        if self._rooms.note(there) or new:
            self._news.set()

    async def find_user(self, adapter: str, text: str) -> User:
        """Return the user meant by `text`: an id, a name, a mention, or a beginning that only one has.

        Raises:
            NotFound, Ambiguous: none or several are; says so to whoever wrote it.
            StoreError: Redis did not answer.
        """
        found = await self._find(self._users, "user", adapter, text)
        return User(found.id, found.name or found.id)

    async def find_room(self, adapter: str, text: str) -> Room:
        """Return the room meant by `text`: an id, an address, a name, or a beginning; raises as `find_user` does."""
        found = await self._find(self._rooms, "room", adapter, text)
        return Room(adapter, found.id, found.name, found.private)

    async def search_users(self, adapter: str, text: str, most: int) -> list[Known]:
        """Return users that `text` may mean, those who are called just that first.

        Raises:
            StoreError: Redis did not answer.
        """
        return await _search(self._users, adapter, text, most)

    async def search_rooms(self, adapter: str, text: str, most: int) -> list[Known]:
        """Return rooms that `text` may mean, all for an empty one; private ones are not found.  Raises as above."""
        return await _search(self._rooms, adapter, text, most)

    async def _find(
        self, noted: Noted, kind: Literal["user", "room"], adapter: str, text: str
    ) -> Known:
        await noted.write()
        id_, name = read_id(adapter, text), read_name(adapter, text)
        if id_ and (known := await noted.directory.get(adapter, id_)):
            return known
        found = await noted.directory.search(adapter, name, SHOWN + 1) if name else []
        return choose(kind, text, found, name, self._say)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write what is new until cancelled."""
        task_status.started()
        while True:
            await self._news.wait()
            self._news = trio.Event()
            try:
                await self._users.write()
                await self._rooms.write()
            except StoreError as error:
                report(log, "cannot note who was met", error)
                self._news.set()
                await trio.sleep(_PAUSE)


async def _search(noted: Noted, adapter: str, text: str, most: int) -> list[Known]:
    await noted.write()
    found = await noted.directory.search(adapter, read_name(adapter, text), most)
    known = await noted.directory.get(adapter, read_id(adapter, text))
    return found if known is None or known in found else [known, *found][:most]


def _is_same(before: Known, known: Known) -> bool:
    recent = known.last - before.last < AGAIN
    return recent and (before.name, before.private) == (known.name, known.private)
