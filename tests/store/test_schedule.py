"""A step-down that waits for its time, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from hachat.core.errors import StepDownRefused, StoreError
from hachat.core.lease import Token
from hachat.core.stepdown import Order
from hachat.core.timing import Timing
from hachat.store.audit import Audit
from hachat.store.control import pause, read_control
from hachat.store.keys import Keys
from hachat.store.lease import open_lease
from hachat.store.link import Link
from hachat.store.schedule import (
    LATE,
    Scheduled,
    cancel,
    look,
    read_scheduled,
    read_time,
    schedule,
)
from tests.store.test_lease import take

ORDER = Order(to="b", reason="kernel", by="ada", hold=60.0, force=True)


@pytest.fixture
async def master(link: Link, keys: Keys) -> AsyncIterator[Token]:
    """The token of a master."""
    async with open_lease(link, keys, Timing()) as store:
        yield await take(store, "a")


async def asked(link: Link, keys: Keys) -> list[dict[bytes, bytes]]:
    """Return the requests to step down that stand in the stream of events."""
    entries = await link.command("XRANGE", keys.of("events"), "-", "+")
    all_fields = [dict(zip(flat[::2], flat[1::2], strict=True)) for _, flat in entries]
    return [fields for fields in all_fields if fields[b"event"] == b"step-down"]


async def test_it_is_asked_for_when_its_time_has_come_and_once(
    link: Link, keys: Keys, master: Token
) -> None:
    """Before that the master is told how long it is; afterwards there is nothing more to do."""
    assert (await look(link, keys, master)).kind == "NONE"
    now = await read_time(link) - 0.01  # the script counts whole milliseconds
    await schedule(link, keys, "r1", now + 100, ORDER)
    early = await look(link, keys, master)
    assert early.kind == "WAIT"
    assert 90 < early.wait <= 100
    await cancel(link, keys, "bob")

    await schedule(link, keys, "r2", now, ORDER)
    assert [(await look(link, keys, master)).kind for _ in range(2)] == ["ASKED", "NONE"]

    assert await asked(link, keys) == [
        {
            b"event": b"step-down",
            b"token": str(master).encode(),
            b"to": b"b",
            b"reason": b"kernel",
            b"by": b"ada",
            b"request": b"r2",
            b"hold": b"60.000",
            b"force": b"1",
        }
    ]


async def test_only_the_master_carries_it_out(link: Link, keys: Keys, master: Token) -> None:
    """One who is no master any more leaves it to the present one."""
    await schedule(link, keys, "r1", await read_time(link) - 0.01, ORDER)
    assert (await look(link, keys, Token(0, 1, "z", "z1"))).kind == "LOST"
    assert await asked(link, keys) == []
    assert (await look(link, keys, master)).kind == "ASKED"


async def test_one_that_was_missed_is_dropped(link: Link, keys: Keys, master: Token) -> None:
    """More than a minute late it does nothing, and is told with all that was ordered."""
    await schedule(link, keys, "r1", await read_time(link) - LATE - 1, ORDER)
    missed = await look(link, keys, master)
    assert missed.kind == "MISSED"
    assert msgspec.json.decode(missed.order, type=Scheduled).by == "ada"
    assert await asked(link, keys) == []
    assert await read_scheduled(link, keys) is None


async def test_the_last_that_was_missed_is_told_for_a_day(
    link: Link, keys: Keys, master: Token
) -> None:
    """By whom and for when it was ordered, and why it was not done; until the next one is."""
    due = await read_time(link) - LATE - 1
    await schedule(link, keys, "r1", due, ORDER)
    await look(link, keys, master)
    missed = (await read_control(link, keys)).missed
    assert missed is not None
    assert (missed.by, missed.reason) == ("ada", "there was no master in time to do it")
    assert missed.at == pytest.approx(due)
    assert missed.until == pytest.approx(due + LATE + 86400, abs=5)

    await schedule(link, keys, "r2", await read_time(link) - 0.01, ORDER, leaver="b")
    await look(link, keys, master)
    missed = (await read_control(link, keys)).missed
    assert missed is not None
    assert missed.reason == "b was not the master then"

    await schedule(link, keys, "r3", await read_time(link) - 0.01, ORDER)
    await look(link, keys, master)
    assert (await read_control(link, keys)).missed is None


async def test_what_was_missed_is_not_told_for_ever(link: Link, keys: Keys, master: Token) -> None:
    """After its day it is left out, and the next order clears it away."""
    await schedule(link, keys, "r1", await read_time(link) - LATE - 1, ORDER)
    await look(link, keys, master)
    (name, text) = await link.command("HGETALL", keys.of("control"))
    old = msgspec.json.encode({**msgspec.json.decode(text), "until": 1.0})
    await link.command("HSET", keys.of("control"), name, old)
    assert (await read_control(link, keys)).missed is None
    await pause(link, keys, by="ada")
    assert await link.command("HKEYS", keys.of("control")) == [b"pause"]


@pytest.mark.parametrize(("leaver", "kind"), [("a", "ASKED"), ("b", "CHANGED"), ("", "ASKED")])
async def test_it_may_be_meant_for_one_master(
    leaver: str, kind: str, link: Link, keys: Keys, master: Token
) -> None:
    """If another is master when its time comes, it is dropped."""
    just_passed = await read_time(link) - 0.01
    await schedule(link, keys, "r1", just_passed, ORDER, leaver=leaver)
    assert (await look(link, keys, master)).kind == kind
    assert len(await asked(link, keys)) == (kind == "ASKED")
    assert await read_scheduled(link, keys) is None


async def test_there_is_one_at_a_time(link: Link, keys: Keys) -> None:
    """The same may be asked for twice; another one only after it was taken back."""
    first = await schedule(link, keys, "r1", 2e9, ORDER)
    assert await schedule(link, keys, "r1", 2e9, ORDER) == first
    with pytest.raises(StepDownRefused, match="scheduled already") as caught:
        await schedule(link, keys, "r2", 2e9, ORDER)
    assert caught.value.code == "pending"
    assert await read_scheduled(link, keys) == first
    assert [await cancel(link, keys, "bob") for _ in range(2)] == [True, False]
    assert (await schedule(link, keys, "r2", 2e9, ORDER)).id == "r2"


async def test_who_ordered_it_and_who_took_it_back_is_noted(link: Link, keys: Keys) -> None:
    """Once each, with when and what; what was refused, or repeated, is not."""
    for _ in range(2):
        await schedule(link, keys, "r1", 2e9, ORDER, leaver="a")
    with pytest.raises(StepDownRefused):
        await schedule(link, keys, "r2", 2e9, ORDER)
    for _ in range(2):
        await cancel(link, keys, "bob")

    deeds = await Audit(link, keys).read(10)

    due = "2033-05-18 03:33:20 UTC"
    ordered = {"node": "a", "to": "b", "reason": "kernel", "due": due}
    assert [deed.facts for deed in deeds] == [
        {"did": "cancelled step-down", "by": "bob"},
        {"did": "scheduled step-down", "by": "ada", **ordered},
    ]


@pytest.mark.parametrize(
    "rubbish",
    ["", "nonsense", "[]", '{"due":"soon"}', '{"due":-1e999}', '{"due":1,"by":"\\u00e9"}'],
)
async def test_what_cannot_be_read_is_dropped(
    rubbish: str, link: Link, keys: Keys, master: Token
) -> None:
    """It neither moves the lease nor stands in the way of what comes later."""
    await link.command("HSET", keys.of("control"), "step-down", rubbish)
    assert (await look(link, keys, master)).kind == "MISSED"
    assert await read_scheduled(link, keys) is None


async def test_what_redis_refuses_leaves_nothing_half_done(
    link: Link, keys: Keys, master: Token
) -> None:
    """Where the request cannot be written the order stays."""
    await schedule(link, keys, "r1", await read_time(link) - 0.01, ORDER)
    await link.command("RENAME", keys.of("events"), keys.of("aside"))
    await link.command("SET", keys.of("events"), "in the way")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await look(link, keys, master)
    assert await read_scheduled(link, keys) is not None
    await link.command("RENAME", keys.of("aside"), keys.of("events"))
    assert (await look(link, keys, master)).kind == "ASKED"
