"""What lives in Redis alone comes back out of a backup, into an empty Redis as into a full one."""

from __future__ import annotations

import time
from secrets import token_hex

import msgspec
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from hachat.core.backup import Member, Met, Place, Record, Timer, Value
from hachat.core.known import Known
from hachat.core.messages import Job, Message, Room, User
from hachat.store.backup import Archive
from hachat.store.commits import Later
from hachat.store.embedded import Server
from hachat.store.jobs import Jobs
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link
from hachat.store.memory import Change, Memory
from hachat.tasks.services import running

SOON = round(time.time()) + 100_000.0
RECORDS: list[Record] = [
    Value("karma", "ada", msgspec.Raw(b"12")),
    Value("todo", "list", msgspec.Raw(b'["a"]'), SOON),
    Met("users", Known("irc", "ada", "Ada", first=1000.0, last=2000.0)),
    Met("rooms", Known("irc", "#ops", "#ops", first=1000.0, last=1000.0)),
    Member("ops", "irc/ada", "irc/bob"),
    Place("irc", "#den", "key"),
    Place("irc", "#noise", None),
    Timer("reminders/tea", SOON, Job("J1", "reminders.ring", SOON, '"tea"')),
]


def archive(link: Link, keys: Keys) -> Archive:
    """Return the archive of a cluster."""
    return Archive(link, keys, ["console", "irc"])


def tell(records: list[Record]) -> list[bytes]:
    """Return records in an order of their own; a moment is one to the second, for it is counted from now each time."""

    def blur(record: Record) -> Record:
        if isinstance(record, Value) and record.until:
            return msgspec.structs.replace(record, until=round(record.until / 10) * 10.0)
        if isinstance(record, Timer):
            return msgspec.structs.replace(record, at=round(record.at / 10) * 10.0)
        return record

    return sorted(msgspec.json.encode(blur(record)) for record in records)


async def test_all_comes_back(link: Link, keys: Keys) -> None:
    """Read again it is what was written; written again nothing changes."""
    there = archive(link, keys)
    counts = await there.write(RECORDS)
    assert counts["memory", "written"] == 2
    assert {fate for _, fate in counts} == {"written"}
    assert tell(await there.read()) == tell(RECORDS)

    again = await there.write(RECORDS)
    assert again["memory", "there already"] == 2
    assert again["timer", "there already"] == 1
    assert tell(await there.read()) == tell(RECORDS)


async def test_what_is_there_stays_unless_it_is_to_be_replaced(link: Link, keys: Keys) -> None:
    """Somebody has counted on since."""
    there, memory = archive(link, keys), Memory(link, keys)
    await memory.change("karma", Change("ada", "set", b"99"))

    assert (await there.write(RECORDS))["memory", "there already"] == 1
    assert await memory.read("karma", ["ada"]) == [b"99"]
    assert (await there.write(RECORDS, replace=True))["memory", "written"] == 2
    assert await memory.read("karma", ["ada"]) == [b"12"]


async def test_what_is_over_is_left_out(link: Link, keys: Keys) -> None:
    """A timer that would have rung, and what would be forgotten by now."""
    past = time.time() - 10
    counts = await archive(link, keys).write(
        [Value("a", "b", msgspec.Raw(b"1"), past), Timer("t", past, Job("J", "a.b", past))]
    )
    assert counts == {("memory", "over"): 1, ("timer", "over"): 1}
    assert await archive(link, keys).read() == []


async def test_what_is_on_its_way_is_no_part_of_it(link: Link, keys: Keys) -> None:
    """A message that is to be tried again waits among the jobs, and is none."""
    message = Message("M1", Room("irc", "#ops"), User("ada"), "hi", 1.0)
    await Jobs(link, keys).schedule(Later("M1/again", 1000.0, "chat", message))
    assert await archive(link, keys).read() == []


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(max_examples=25, deadline=None)
@given(values=st.dictionaries(texts, st.one_of(texts, st.integers(-(2**53), 2**53)), max_size=5))
def test_any_value_comes_back(server: Server, values: dict[str, object]) -> None:
    """As it is, whatever its key is called."""
    records: list[Record] = [
        Value("h", key, msgspec.Raw(msgspec.json.encode(value))) for key, value in values.items()
    ]

    async def come_back() -> list[Record]:
        link = Link(Direct(server.url))
        async with running(link.run):
            there = archive(link, Keys(f"backup-{token_hex(8)}"))
            await there.write(records)
            return await there.read()

    assert tell(trio.run(come_back)) == tell(records)
