"""What is said about a step-down, on a real server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hachat.core.errors import StepDownRefused, UsageError
from hachat.core.lease import Sight
from hachat.core.stepdown import Order
from hachat.core.timing import Timing
from hachat.store.control import read_control
from hachat.store.keys import Keys
from hachat.store.lease import open_lease, read_event
from hachat.store.link import Link
from hachat.store.members import Member, Members
from tests.store.test_lease import take


async def test_it_is_asked_of_the_present_master_only(link: Link, keys: Keys) -> None:
    """A request that names another master, or when there is none, is refused."""
    async with open_lease(link, keys, Timing()) as store:
        token = await take(store, "a")
        with pytest.raises(StepDownRefused, match="not the master any more") as other:
            await store.request_step_down(replace(token, epoch=1), "r1", Order())
        await store.release(token, "", 0.0, "test")
        with pytest.raises(StepDownRefused, match="nobody is") as nobody:
            await store.request_step_down(token, "r1", Order())
    assert (other.value.code, nobody.value.code) == ("changed", "changed")


async def test_a_request_may_be_repeated(link: Link, keys: Keys) -> None:
    """Asked again under its name it is the same event; under another name it is another."""
    async with open_lease(link, keys, Timing()) as store:
        token = await take(store, "a")
        first = await store.request_step_down(token, "r1", Order(to="b"))
        await store.renew(token)
        assert await store.request_step_down(token, "r1", Order(to="b")) == first
        assert await store.request_step_down(token, "r2", Order(to="b")) != first
    entries = await link.command("XRANGE", keys.of("events"), "-", "+")
    assert sum(fields[1] == b"step-down" for _, fields in entries) == 2


def test_a_request_without_a_name_goes_by_its_event() -> None:
    """Whoever asks as earlier releases did is answered all the same; what is no number of seconds holds nobody."""
    fields = [b"event", b"step-down", b"token", b"a/a1/0.7", b"to", b"b", b"hold", b"long"]
    event = read_event(Sight("5-0", "x@0"), fields)
    assert event is not None
    assert (event.request, event.hold, event.force) == ("5-0", 0.0, False)


async def test_a_hold_is_an_order_like_any_other(link: Link, keys: Keys) -> None:
    """It stands where operators' orders stand; an unknown node cannot be held."""
    me = Member("a", "a1", 1, "http://x", "0", 0.0, beat=1.0, life=10.0)
    await Members(link, keys, me).join()
    async with open_lease(link, keys, Timing()) as store:
        await store.hold("a", 60.0, by="ada", reason="kernel")
        with pytest.raises(UsageError, match="known are a"):
            await store.hold("z", 60.0, by="ada", reason="kernel")
    held = (await read_control(link, keys)).holds["a"]
    assert (held.by, held.reason) == ("ada", "kernel")
    assert held.until == pytest.approx(held.at + 60.0)
