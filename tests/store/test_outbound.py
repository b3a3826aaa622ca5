"""The outbound queue's scripts, on a real server: fencing, intents, deferral and order."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from hachat.core.errors import Fenced
from hachat.core.messages import Reply
from hachat.core.wire import encode
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.outbound import Due, Outbound

TOKEN = "n1/b1/0.1"


async def put(link: Link, keys: Keys, room: str, *texts: str) -> None:
    """Put replies into a room's outbox, as a commit does."""
    for text in texts:
        reply = Reply(f"m/{text}", room, text)
        await link.command("RPUSH", keys.outbox(room), reply.id.encode() + b"|" + encode(reply))
        await link.command("ZADD", keys.of("outready"), "NX", 1, room)
        await link.command("HINCRBY", keys.of("counters"), "outgoing", 1)


@pytest.fixture
async def outbound(link: Link, keys: Keys) -> Outbound:
    """The queue in the name of the present master."""
    await link.command("SET", keys.of("lease"), TOKEN)
    return Outbound(link, keys, TOKEN)


async def take_one(outbound: Outbound) -> Due:
    """Take the one head that is due."""
    (due,), _ = await outbound.take(10)
    return due


async def test_one_head_of_each_room_is_taken(outbound: Outbound, link: Link, keys: Keys) -> None:
    """Rooms are served side by side, each with one reply at a time."""
    await put(link, keys, "t/a", "a1", "a2")
    await put(link, keys, "t/b", "b1")

    taken, _ = await outbound.take(10)
    again, wait = await outbound.take(10)

    assert [(due.room, due.id, due.in_doubt) for due in taken] == [
        ("t/a", "m/a1", False),
        ("t/b", "m/b1", False),
    ]
    assert again == []
    assert 0 < wait <= 30


async def test_sent_replies_leave_in_order_and_leave_nothing(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """Each report pops the head it names; an emptied room leaves no key."""
    await put(link, keys, "t/a", "a1", "a2")
    first = await take_one(outbound)

    second = await outbound.done(first, "sent", more=True)

    assert second is not None
    assert second.id == "m/a2"
    assert await outbound.done(second, "sent", more=True) is None
    assert await link.command("EXISTS", *map(keys.of, ("outready", "intent", "outbox:t/a"))) == 0
    assert await link.command("HGET", keys.of("counters"), "outgoing") == b"0"


async def test_a_room_that_gave_way_wakes_the_drain(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """What is left in a room is not kept waiting until the drain looks again by itself."""
    await put(link, keys, "t/a", "a1", "a2")

    await outbound.done(await take_one(outbound), "sent")

    assert await link.command("LLEN", keys.of("bell")) == 1


async def test_without_more_the_room_is_due_again(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """A room that gave way is taken again with its next reply, and that one is in no doubt."""
    await put(link, keys, "t/a", "a1", "a2")

    assert await outbound.done(await take_one(outbound), "sent") is None

    due = await take_one(outbound)
    assert (due.id, due.in_doubt) == ("m/a2", False)


async def test_a_repeated_report_pops_nothing_more(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """A report whose answer was lost may be sent again."""
    await put(link, keys, "t/a", "a1", "a2")
    due = await take_one(outbound)

    await outbound.done(due, "sent")
    await outbound.done(due, "sent")

    assert await link.command("LLEN", keys.outbox("t/a")) == 1


async def test_a_deferred_room_waits_and_no_other_does(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """Deferral moves one room's time and leaves its head in place, in no doubt."""
    await put(link, keys, "t/a", "a1")
    due = await take_one(outbound)
    await outbound.done(due, "defer", after=0.15)
    await put(link, keys, "t/b", "b1")

    assert [due.room for due in (await outbound.take(10))[0]] == ["t/b"]
    with trio.fail_after(5):
        while not (later := (await outbound.take(10))[0]):
            await trio.lowlevel.checkpoint()
    assert [(due.room, due.in_doubt) for due in later] == [("t/a", False)]


async def test_an_unknown_outcome_leaves_the_head_in_doubt(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """After a send of which nobody knows, the same head comes again, marked."""
    await put(link, keys, "t/a", "a1")

    await outbound.done(await take_one(outbound), "doubt")

    due = await take_one(outbound)
    assert (due.id, due.in_doubt) == ("m/a1", True)


async def test_a_permanent_refusal_becomes_a_dead_letter(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """The room goes on, and what was given up is kept with its reason."""
    await put(link, keys, "t/a", "a1", "a2")

    await outbound.done(await take_one(outbound), "dead", reason="no such room")

    ((_, fields),) = await link.command("XRANGE", keys.of("dead"), "-", "+")
    assert fields[3] == b"t/a"
    assert fields[7] == b"no such room"
    assert (await take_one(outbound)).id == "m/a2"


async def test_a_deposed_master_is_refused(outbound: Outbound, link: Link, keys: Keys) -> None:
    """Once the lease holds another token, nothing can be taken, inherited or deferred under the old one."""
    await put(link, keys, "t/a", "a1")
    due = await take_one(outbound)
    await link.command("SET", keys.of("lease"), "n2/b2/0.2")

    with pytest.raises(Fenced):
        await outbound.take(10)
    with pytest.raises(Fenced):
        await outbound.inherit()
    with pytest.raises(Fenced):
        await outbound.done(due, "defer")


async def test_a_deposed_master_may_report_a_send_it_made(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """Until a successor has taken the room, a true report spares it a doubt; afterwards it is refused."""
    await put(link, keys, "t/a", "a1", "a2")
    due = await take_one(outbound)
    await link.command("DEL", keys.of("lease"))

    assert await outbound.done(due, "sent", more=True) is None

    await link.command("SET", keys.of("lease"), "n2/b2/0.2")
    successor = Outbound(link, keys, "n2/b2/0.2")
    due = await take_one(successor)
    assert (due.id, due.in_doubt) == ("m/a2", False)
    with pytest.raises(Fenced):
        await outbound.done(due, "sent")


async def test_a_successor_inherits_what_is_in_doubt(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """The head a dead master may have sent comes to its successor at once, marked as in doubt."""
    await put(link, keys, "t/a", "a1")
    await take_one(outbound)
    await link.command("SET", keys.of("lease"), "n2/b2/0.2")
    successor = Outbound(link, keys, "n2/b2/0.2")

    assert (await successor.take(10))[0] == []
    assert await successor.inherit() == 1

    due = await take_one(successor)
    assert (due.id, due.in_doubt) == ("m/a1", True)


async def test_the_bell_wakes_a_waiting_drain(outbound: Outbound, link: Link, keys: Keys) -> None:
    """A drain that waits with nothing to do hears of the first reply."""
    async with link.reader(5) as reader:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(outbound.wait, reader, 5.0)
                await trio.testing.wait_all_tasks_blocked()
                await link.command("RPUSH", keys.of("bell"), 1)
