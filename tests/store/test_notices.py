"""Notices on a real server: each said once, whoever says it."""

from __future__ import annotations

import pytest

from hachat.core.errors import StoreRefused
from hachat.core.messages import Reply
from hachat.core.settings import QueueSettings
from hachat.core.wire import decode_reply
from hachat.store.dead import DeadLetters
from hachat.store.keys import Keys
from hachat.store.letter import Query
from hachat.store.link import Link
from hachat.store.notices import Notices, is_notice
from tests.store.letters import bury, message, reply

ROOM = "t/admins"


def make(link: Link, keys: Keys, most: int = 10) -> Notices:
    """Return notices for a room in which so many replies may wait."""
    return Notices(link, keys, ROOM, lambda: QueueSettings(outbox=most))


async def read_outbox(link: Link, keys: Keys) -> list[Reply]:
    """Return what waits in the room."""
    waiting = await link.command("LRANGE", keys.outbox(ROOM), 0, -1)
    return [decode_reply(data.partition(b"|")[2]) for data in waiting]


async def test_what_is_told_waits_to_be_sent(link: Link, keys: Keys) -> None:
    """As a reply like any other, and how far it was told is known to the next master."""
    assert await make(link, keys).read() == {}

    assert await make(link, keys).tell("dead", "", "1-1", "look")

    assert await make(link, keys).read() == {"dead": "1-1"}
    assert [(one.room, one.text) for one in await read_outbox(link, keys)] == [(ROOM, "look")]
    assert await link.command("ZSCORE", keys.of("outready"), ROOM)
    assert await link.command("HGET", keys.of("counters"), "outgoing") == b"1"
    assert await link.command("LLEN", keys.of("bell")) == 1


async def test_two_masters_say_it_once(link: Link, keys: Keys) -> None:
    """Whoever does not know how far it has been told says nothing."""
    assert await make(link, keys).tell("dead", "", "1-1", "look")
    assert not await make(link, keys).tell("dead", "", "2-1", "look")
    assert await make(link, keys).tell("dead", "1-1", "2-1", "and there")

    assert [one.text for one in await read_outbox(link, keys)] == ["look", "and there"]


async def test_without_words_it_is_only_noted(link: Link, keys: Keys) -> None:
    """What ended needs no line."""
    assert await make(link, keys).tell("full", "", "a", "a is full")
    assert await make(link, keys).tell("full", "a", "")

    assert await make(link, keys).read() == {"full": ""}
    assert len(await read_outbox(link, keys)) == 1


async def test_a_full_room_is_told_later(link: Link, keys: Keys) -> None:
    """Nothing is noted as told that was not, so it comes once there is room."""
    full = make(link, keys, 1)
    assert await full.tell("dead", "", "1-1", "look")

    assert not await full.tell("dead", "1-1", "2-1", "and there")

    assert await full.read() == {"dead": "1-1"}
    assert await link.command("LLEN", keys.outbox(ROOM)) == 1


async def test_a_refusal_changes_nothing(link: Link, keys: Keys) -> None:
    """A key that is no list is found before anything is written."""
    await link.command("SET", keys.of("bell"), "rubbish")

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await make(link, keys).tell("dead", "", "1-1", "look")

    assert await make(link, keys).read() == {}
    assert await link.command("LLEN", keys.outbox(ROOM)) == 0


async def test_a_notice_that_was_given_up_is_known(link: Link, keys: Keys) -> None:
    """By its id: what people and handlers said never has one like it."""
    await make(link, keys).tell("dead", "", "1-1", "look")
    (notice,) = await read_outbox(link, keys)
    for value in (notice, reply(1), message(2)):
        await bury(link, keys, value)

    letters = (await DeadLetters(link, keys, QueueSettings()).find(Query(), 10)).letters

    assert [is_notice(letter) for letter in letters] == [False, False, True]
