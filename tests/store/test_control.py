"""What operators order: written, read, taken back, obeyed by the election, and heard of at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
import trio

from hachat.core.errors import StoreRefused, UsageError
from hachat.core.lease import Event, Granted, Refused
from hachat.store.control import (
    Control,
    Directive,
    drain,
    hold,
    parse_control,
    pause,
    read_control,
    resume,
    undrain,
    unhold,
)
from hachat.store.keys import Keys
from hachat.store.lease import LeaseStore, open_lease
from hachat.store.link import Link
from hachat.store.members import Member
from hachat.store.scripts import load
from tests.store.test_lease import TIMING, acquire, hear, take


@pytest.fixture
async def store(link: Link, keys: Keys) -> AsyncIterator[LeaseStore]:
    """A lease of the test's own, in a cluster that knows the nodes a and b."""
    for node in "ab":
        said = Member(node, "1", 1, "", "", 0.0, 3.0, 9.0)
        await link.command("HSET", keys.of("members"), said.consumer, msgspec.json.encode(said))
    async with open_lease(link, keys, TIMING) as opened:
        yield opened


async def refuse(store: LeaseStore, node: str, *, silence: float = 60.0) -> Refused:
    """Ask for a lease that must not be granted."""
    answer = await acquire(store, node, silence=silence)
    assert isinstance(answer, Refused), answer
    return answer


async def test_what_is_ordered_can_be_read_and_taken_back(
    store: LeaseStore, link: Link, keys: Keys
) -> None:
    """Each order says by whom, why, since and until when; once it is taken back nothing is left."""
    paused = await pause(link, keys, by="ada", reason="kernel", seconds=60.0)
    drained = await drain(link, keys, "a", by="bob", reason="disk")
    held = await hold(link, keys, "b", seconds=30.0, by="eve")

    assert await read_control(link, keys) == Control(paused, {"a": drained}, {"b": held})
    assert (paused.by, paused.reason, paused.until) == ("ada", "kernel", paused.at + 60.0)
    assert drained.until is None

    for undone in (resume(link, keys), undrain(link, keys, "a"), unhold(link, keys, "b")):
        assert await undone
    for again in (resume(link, keys), undrain(link, keys, "a"), unhold(link, keys, "b")):
        assert not await again
    assert await read_control(link, keys) == Control()
    assert await link.command("EXISTS", keys.of("control")) == 0


async def test_who_is_unknown_is_refused(store: LeaseStore, link: Link, keys: Keys) -> None:
    """A node that is misspelt is not drained or held, and the names that are known are told."""
    with pytest.raises(UsageError, match="'c'; known are a, b"):
        await drain(link, keys, "c", by="ada")
    with pytest.raises(UsageError, match="'c'; known are a, b"):
        await hold(link, keys, "c", seconds=1.0, by="ada")
    assert await read_control(link, keys) == Control()


async def test_an_order_is_heard_of_once(store: LeaseStore, link: Link, keys: Keys) -> None:
    """It is an event of the election's stream; the same call again changes nothing and makes none."""
    await pause(link, keys, by="ada")
    events = await link.command("XLEN", keys.of("events"))
    (value,) = await link.command("HVALS", keys.of("control"))
    names = [keys.of("control"), keys.of("events")]

    assert await link.script(load("control"), names, ["pause", value]) == 0
    assert await link.command("XLEN", keys.of("events")) == events == 1
    heard = await hear(store, lambda event: event.kind == "control", after="0-0")
    assert heard == Event("control", heard.sight)


async def test_what_redis_refuses_is_not_half_ordered(
    store: LeaseStore, link: Link, keys: Keys
) -> None:
    """Where nobody can be told of it nothing is ordered, and where it cannot be written nobody is told."""
    for broken, other in (("events", "control"), ("control", "events")):
        await link.command("SET", keys.of(broken), "x")
        with pytest.raises(StoreRefused):
            await pause(link, keys, by="ada")
        assert await link.command("EXISTS", keys.of(other)) == 0
        await link.command("DEL", keys.of(broken))


async def test_what_is_over_is_not_in_force_and_goes(
    store: LeaseStore, link: Link, keys: Keys
) -> None:
    """A time that is up ends an order for readers and for the election, and the next order clears it away."""
    await link.command("HSET", keys.of("control"), "pause", b'{"until":1.5}')
    assert await read_control(link, keys) == Control()
    await take(store, "a")
    await hold(link, keys, "b", seconds=9.0, by="ada")
    assert await link.command("HKEYS", keys.of("control")) == [b"hold:b"]


@pytest.mark.parametrize("garbage", [b"", b"{", b"\xff", b"[]", b"1", b'{"until": "x"}'])
async def test_what_cannot_be_read_stands_until_it_is_taken_back(
    garbage: bytes, store: LeaseStore, link: Link, keys: Keys
) -> None:
    """In doubt nobody takes the lease; the readers say so too."""
    await link.command("HSET", keys.of("control"), "pause", garbage)
    control = await read_control(link, keys)
    assert control.pause is not None
    assert "cannot be read" in control.pause.reason
    assert await refuse(store, "a") == Refused("PAUSED", 5.0)
    assert await resume(link, keys)
    await take(store, "a")


def test_orders_of_another_release_are_passed_over() -> None:
    """A field that this release does not know is nothing to it."""
    assert parse_control({"later:a": b"{}"}, 0.0) == Control()
    assert parse_control({"drain:a": b'{"more": 1}'}, 0.0) == Control(drains={"a": Directive()})


async def test_in_a_pause_nobody_takes_over(store: LeaseStore, link: Link, keys: Keys) -> None:
    """Neither after a crash nor after a release, and nobody at all where nobody ever was; after `resume` at once."""
    await pause(link, keys, by="ada")
    assert (await refuse(store, "a")).kind == "PAUSED"
    await resume(link, keys)
    token = await take(store, "a")
    await pause(link, keys, by="ada")
    assert await store.renew(token)
    await link.command("DEL", keys.of("lease"))
    assert await refuse(store, "b") == Refused("PAUSED", 5.0)
    await store.release(token, "", 0.0, "test")
    assert (await refuse(store, "b")).kind == "PAUSED"
    await resume(link, keys)
    await take(store, "b")


async def test_in_a_pause_the_last_holder_s_node_may_come_back(
    store: LeaseStore, link: Link, keys: Keys
) -> None:
    """The node's next process leads again, after the same wait as without a pause; a node whose name only begins alike does not."""
    first = await take(store, "a")
    await store.release(first, "", 0.0, "shutdown")
    await pause(link, keys, by="ada")
    for other in ("aa", "b"):
        assert (await refuse(store, other)).kind == "PAUSED"
    await take(store, "a")


async def test_in_a_pause_a_named_successor_may_come(
    store: LeaseStore, link: Link, keys: Keys
) -> None:
    """A hand-over is not by itself; once its time is up nobody but the last holder may."""
    token = await take(store, "a")
    await pause(link, keys, by="ada")
    await store.release(token, "b", 0.0, "step-down")
    assert (await refuse(store, "c")).kind == "PAUSED"
    await link.command("HSET", keys.of("meta"), "heir_until", 0)
    assert (await refuse(store, "b")).kind == "PAUSED"
    await link.command("HSET", keys.of("meta"), "heir_until", 10**15)
    await take(store, "b")


async def test_a_pause_ends_by_itself(store: LeaseStore, link: Link, keys: Keys) -> None:
    """Who is refused learns when to ask again, and is granted the lease then."""
    await pause(link, keys, by="ada", seconds=0.3)
    refused = await refuse(store, "a")
    assert 0 < refused.wait <= 0.3
    await trio.sleep(refused.wait)  # what the answer says is what is tested here
    assert isinstance(await acquire(store, "a"), Granted)


async def test_a_drained_node_is_refused_even_as_successor(
    store: LeaseStore, link: Link, keys: Keys
) -> None:
    """Its own term is not taken from it: it gives it back itself, and then gets no other."""
    token = await take(store, "a")
    await drain(link, keys, "a", by="ada")
    assert await store.renew(token)
    await store.release(token, "a", 0.0, "test")
    assert await refuse(store, "a") == Refused("DRAINED", 5.0)
    await link.command("HSET", keys.of("meta"), "heir_until", 0)
    await take(store, "b")


async def test_a_held_node_is_refused_until_its_time(
    store: LeaseStore, link: Link, keys: Keys
) -> None:
    """The others are not held with it."""
    await hold(link, keys, "a", seconds=3.0, by="ada")
    refused = await refuse(store, "a")
    assert refused.kind == "HOLD"
    assert 2 < refused.wait <= 3
    await unhold(link, keys, "a")
    await take(store, "a")
