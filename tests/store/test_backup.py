"""What lives in Redis alone comes back out of a backup, into an empty Redis as into a full one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from secrets import token_hex

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from hachat.core.backup import Member, Met, Place, Record, Timer, Value, name_kind
from hachat.core.errors import MemoryFull, UsageError
from hachat.core.known import Known
from hachat.core.memory import is_key
from hachat.core.messages import Event, Job, Message, Room, User
from hachat.store import memory as limits
from hachat.store.backup import Archive
from hachat.store.commits import Later
from hachat.store.embedded import Server
from hachat.store.groups import Groups
from hachat.store.jobs import Jobs
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link
from hachat.store.memory import Change, Changed, Memory
from hachat.store.people import Directory
from hachat.store.rooms import Rooms
from hachat.tasks.services import running
from tests.store.backups import RECORDS, SOON, archive, read


async def records(there: Archive) -> list[Record]:
    """Return all that a backup holds."""
    return [record async for record in there.read()]


async def test_all_comes_back(link: Link, keys: Keys) -> None:
    """Read again it is what was written; written again nothing changes."""
    there = archive(link, keys)
    assert {fate for _, fate in await there.compare(RECORDS)} == {"new"}
    assert (await there.write(RECORDS)).total() == len(RECORDS)
    assert await records(there) == RECORDS

    assert {fate for _, fate in await there.compare(RECORDS)} == {"there already"}
    assert (await there.write(RECORDS, replace=True)).total() == 0
    assert await records(there) == RECORDS


async def test_what_handlers_and_people_have_made_comes_back(link: Link, keys: Keys) -> None:
    """To the millisecond, into a cluster of another name, where it works."""
    memory, groups, rooms = Memory(link, keys), Groups(link, keys), Rooms(link, keys)
    await memory.change("karma", Change("ada", "set", b"1", life=60.0))
    await memory.change("karma", Change("bob", "set", b'{"a": [1.0]}'))
    await groups.change("add", "ops", "irc/ada", "irc/bob")
    await rooms.join("irc", "#den", "secret")
    await rooms.part("irc", "#noise")
    await Directory(link, keys, "users").note([Known("irc", "ada", "Ada", last=1.5)])
    await Directory(link, keys, "users").note([Known("irc", "ada", "Eve", last=2.5)])
    await Directory(link, keys, "users").note([Known("irc", "cy", "Cy", private=True, last=1.0)])
    await Jobs(link, keys).schedule(Later("a/tea", 60.0, "work", Job("J", "a.b", 1.0, "1")))
    found = await records(archive(link, keys))
    assert len(found) == 8

    other = Keys(f"{keys.cluster}-other")
    await archive(link, other).write(found)

    assert await read(link, other) == await read(link, keys)
    assert await Groups(link, other).read() == await groups.read()
    assert await Jobs(link, other).waiting() == await Jobs(link, keys).waiting()
    (eve,) = await Directory(link, other, "users").search("irc", "e", 5)
    assert (eve.first, eve.last) == (1.5, 2.5)


async def test_what_is_there_stays_unless_it_is_to_be_replaced(link: Link, keys: Keys) -> None:
    """Somebody has counted on since."""
    there, memory = archive(link, keys), Memory(link, keys)
    await memory.change("karma", Change("ada", "set", b"99"))

    assert (await there.compare(RECORDS))["memory", "different"] == 1
    assert (await there.write(RECORDS))["memory", "new"] == 1
    assert await memory.read("karma", ["ada"]) == [b"99"]
    assert await there.write(RECORDS, replace=True) == {("memory", "different"): 1}
    assert await memory.read("karma", ["ada"]) == [b"12"]
    assert await records(there) == RECORDS


async def test_who_was_seen_later_is_known_as_they_are_now(link: Link, keys: Keys) -> None:
    """A backup brings no old name back, whatever is to be replaced."""
    users, there = Directory(link, keys, "users"), archive(link, keys)
    now = Known("irc", "ada", "Eve", first=3000.0, last=3000.0)
    await users.note([now])

    assert (await there.compare(RECORDS))["met", "seen later since"] == 1
    await there.write(RECORDS, replace=True)
    assert await users.get("irc", "ada") == now


async def test_what_is_over_is_left_out(link: Link, keys: Keys) -> None:
    """A timer that would have rung, and what would be forgotten by now."""
    past = time.time() - 10
    over: list[Record] = [
        Value("a", "b", msgspec.Raw(b"1"), past),
        Timer("t", past, Job("J", "a.b", past)),
    ]
    there = archive(link, keys)
    assert await there.compare(over) == {("memory", "over"): 1, ("timer", "over"): 1}
    assert (await there.write(over, replace=True)).total() == 0
    assert await records(there) == []


async def test_what_is_on_its_way_is_no_part_of_it(link: Link, keys: Keys) -> None:
    """Tries of messages and jobs, and events, wait among the timers, and are none."""
    message = Message("M1", Room("irc", "#ops"), User("ada"), "hi", 1.0)
    for value in (message, Job("J1", "a.b", 1.0, attempt=1), Event("E1", "joined", 1.0)):
        await Jobs(link, keys).schedule(Later(f"{value.id}/again", 1000.0, "chat", value))
    assert await records(archive(link, keys)) == []


async def test_what_changes_while_it_is_restored_stays(
    link: Link, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler writes after it was looked, and before it would have been written."""
    memory = Memory(link, keys)
    change, there = memory.change, archive(link, keys)

    async def come_between(handler: str, one: Change) -> Changed:
        await change("karma", Change("ada", "set", b"77"))
        return await change(handler, one)

    monkeypatch.setattr(there._memory, "change", come_between)
    assert (await there.write(RECORDS[:1], replace=True)).total() == 0
    assert await memory.read("karma", ["ada"]) == [b"77"]


async def test_a_value_is_read_with_its_own_end(link: Link, keys: Keys) -> None:
    """However often it changes meanwhile: both are of one moment."""
    memory, there = Memory(link, keys), archive(link, keys)

    async def change() -> None:
        for turn in range(300):
            one = Change("k", "set", b"%d" % turn, life=0.0, until=SOON + turn)
            await memory.change("h", one)

    seen: set[bytes] = set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(change)
        while len(seen) < 5 or b"299" not in seen:
            async for record in there.read():
                assert isinstance(record, Value)
                assert record.until == SOON + int(bytes(record.value))
                seen.add(bytes(record.value))


async def test_what_hachat_has_not_written_is_named(link: Link, keys: Keys) -> None:
    """A backup of it could not be restored, so none is made."""
    await link.command("HSET", keys.of("groups"), "no group|irc/a", "1|somebody")
    with pytest.raises(UsageError, match=r"'no group\|irc/a' .* no group can be called that"):
        await records(archive(link, keys))


async def test_a_handler_that_is_full_ends_it(
    link: Link, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before is there; with more room it goes on."""
    monkeypatch.setattr(limits, "MAX_KEYS", 1)
    values: list[Record] = [Value("h", key, msgspec.Raw(b"1")) for key in "ab"]
    with pytest.raises(MemoryFull, match="h remembers"):
        await archive(link, keys).write(values)
    monkeypatch.undo()
    assert await archive(link, keys).write(values) == {("memory", "new"): 1}


async def test_a_page_is_in_memory_at_a_time(link: Link, keys: Keys) -> None:
    """Records are taken as they are written, and not long before."""
    memory, ahead = Memory(link, keys), 0

    def make() -> Iterator[Record]:
        nonlocal ahead
        for number in range(500):
            ahead += 1
            yield Value("h", f"{number:03}", msgspec.Raw(b"1"))

    async def watch() -> None:
        nonlocal ahead
        most = 0
        while (there := len(await memory.list_keys("h"))) < 500:
            most = max(most, ahead - there)
        assert most <= 101

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await archive(link, keys).write(make())


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
names = st.text("abc#_", min_size=1, max_size=5)
printable = texts.filter(is_key)
adapters = st.sampled_from(["irc", "console"])
past = st.integers(0, 1_700_000_000_000).map(lambda milliseconds: milliseconds / 1000)
coming = st.integers(4_000_000_000_000, 5_000_000_000_000).map(lambda ms: ms / 1000)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
).map(lambda value: msgspec.Raw(msgspec.json.encode(value)))


@st.composite
def known(draw: st.DrawFn) -> Known:
    """Return somebody who was met, first and then last."""
    first, last = sorted([draw(past), draw(past)])
    return Known(draw(adapters), draw(texts), draw(texts), draw(st.booleans()), first, last)


kinds: list[st.SearchStrategy[Record]] = [
    st.builds(Value, names, printable, json, st.just(0.0) | coming),
    st.builds(Met, st.sampled_from(["users", "rooms"]), known()),
    st.builds(
        Member,
        st.from_regex("[a-z][a-z0-9_-]{0,5}", fullmatch=True),
        texts.map("irc/{}".format),
        past.map(round).map(float),
        texts,
    ),
    st.builds(Place, adapters, texts, st.none() | texts),
    st.builds(Timer, texts, coming, st.builds(Job, names, texts, coming, texts)),
]


def identify(record: Record) -> tuple[str, ...]:
    """Return what no other record may have in common with one."""
    match record:
        case Value(handler, key):
            name: tuple[str, ...] = (handler, key)
        case Met(which, one):
            name = which, one.address
        case Member(group, user):
            name = group, user
        case Place(adapter, room):
            name = adapter, room
        case Timer(id_):
            name = (id_,)
    return name_kind(record), *name


@settings(max_examples=100, deadline=None)
@given(made=st.lists(st.one_of(kinds), max_size=30, unique_by=identify))
def test_a_backup_of_what_was_restored_is_the_same(server: Server, made: list[Record]) -> None:
    """Byte for byte, whatever there is, and in whatever order it came."""

    async def come_and_go() -> None:
        link = Link(Direct(server.url))
        first, second = Keys(f"backup-{token_hex(8)}"), Keys(f"backup-{token_hex(8)}")
        async with running(link.run):
            assert (await archive(link, first).write(made)).total() == len(made)
            backup = [record async for record in archive(link, first).read()]
            assert sorted(map(identify, backup)) == sorted(map(identify, made))
            await archive(link, second).write(backup)
            assert await read(link, second) == await read(link, first)
            assert (await archive(link, second).write(made, replace=True)).total() == 0

    trio.run(come_and_go)
