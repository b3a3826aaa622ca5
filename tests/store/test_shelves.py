"""On each shelf a record is put if what is there is what was found, and nothing that came between is lost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hachat.core.backup import Member, Place, Record, Timer, Value
from hachat.core.messages import Job
from hachat.store.groups import Groups
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.memory import Change, Memory
from hachat.store.rooms import Rooms
from hachat.store.shelves import Members, Places, Shelf, Values, Waiting
from hachat.store.timers import Timers
from tests.store.backups import SOON
from tests.waiting import until

VERSIONS: list[list[Record]] = [
    [Value("h", "k", msgspec.Raw(b"%d" % turn), SOON + turn) for turn in range(3)],
    [Value("h", "k", msgspec.Raw(b"%d" % turn)) for turn in range(3)],
    [Member("ops", "irc/a", float(turn), "irc/b") for turn in range(3)],
    [Place("irc", "#a", key) for key in ("x", None, "")],
    [Timer("t", SOON + turn, Job("J", "a.b", SOON)) for turn in range(3)],
]


def shelf_of(record: Record, link: Link, keys: Keys) -> Shelf[Any]:
    """Return where a record stands."""
    if isinstance(record, Value):
        return Values(Memory(link, keys), record.handler, 1.0)
    if isinstance(record, Member):
        return Members(Groups(link, keys))
    if isinstance(record, Place):
        return Places(Rooms(link, keys), record.adapter)
    return Waiting(Timers(link, keys))


@pytest.mark.parametrize("versions", VERSIONS, ids=lambda each: type(each[0]).__name__)
async def test_only_what_was_found_is_replaced(
    link: Link, keys: Keys, versions: list[Record]
) -> None:
    """Whoever found something else finds it still."""
    first, second, third = versions
    shelf = shelf_of(first, link, keys)
    name = shelf.name(first)
    assert await shelf.find([name]) == [None]

    assert not await shelf.put(first, second)
    assert await shelf.find([name]) == [None]
    assert await shelf.put(first, None)
    assert await shelf.find([name]) == [first]
    assert await shelf.list_names() == [name]

    assert not await shelf.put(second, None)
    assert not await shelf.put(second, third)
    assert await shelf.find([name]) == [first]
    assert await shelf.put(second, first)
    assert await shelf.find([name]) == [second]


@pytest.mark.parametrize("versions", VERSIONS[2:], ids=lambda each: type(each[0]).__name__)
async def test_what_was_put_is_put(link: Link, keys: Keys, versions: list[Record]) -> None:
    """Whoever has not heard the answer and asks again is told the same; changes of memory have an id for that."""
    first, second, _ = versions
    shelf = shelf_of(first, link, keys)
    for record, there in ((first, None), (second, first)):
        assert await shelf.put(record, there)
        assert await shelf.put(record, there)


async def test_what_is_over_is_as_nothing(link: Link, keys: Keys) -> None:
    """It may still be in Redis, where no change has taken it away; a record takes its place."""
    memory = Memory(link, keys)
    await memory.change("h", Change("k", "set", b"1", life=0.001))

    async def is_over() -> bool:
        return await memory.list_keys("h") == []

    await until(is_over)
    shelf = Values(memory, "h", SOON)
    assert await shelf.find(["k"]) == [None]
    assert await shelf.put(Value("h", "k", msgspec.Raw(b"2")), None)
    assert await shelf.find(["k"]) == [Value("h", "k", msgspec.Raw(b"2"))]
