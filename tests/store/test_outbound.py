"""The outbound queue's scripts, on a real server: fencing, intents, deferral and order."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
import trio
import trio.testing

from hachat.core.errors import Fenced, StoreUnavailable
from hachat.core.messages import Answer, Reply, User
from hachat.core.settings import QueueSettings
from hachat.core.wire import decode_answer, decode_reply, encode
from hachat.store.embedded import Server
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.outbound import (
    ANSWER_LIFE,
    ANSWERS,
    HOLD,
    Due,
    Outbound,
    Outcome,
    Report,
)
from tests.store.links import running
from tests.waiting import until

TOKEN = "n1/b1/0.1"
LATER = "n2/b2/0.2"


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


async def succeed(link: Link, keys: Keys) -> Outbound:
    """Return the queue in the name of a successor."""
    await link.command("SET", keys.of("lease"), LATER)
    return Outbound(link, keys, LATER)


async def take(outbound: Outbound) -> list[Due]:
    """Take all heads that are due."""
    taken, _ = await outbound.turn([], 10)
    return taken


async def take_one(outbound: Outbound) -> Due:
    """Take the one head that is due."""
    (due,) = await take(outbound)
    return due


async def tell(
    outbound: Outbound, due: Due, outcome: Outcome = "sent", after: float = 0.0, reason: str = ""
) -> None:
    """Report what became of a head, and take none."""
    taken, _ = await outbound.turn([Report(due, outcome, after, reason)], 0)
    assert taken == []


async def left(link: Link, keys: Keys, room: str) -> int:
    """Return how many replies wait in a room."""
    length: int = await link.command("LLEN", keys.outbox(room))
    return length


async def outgoing(link: Link, keys: Keys) -> bytes:
    """Return how many replies are counted as waiting."""
    count: bytes = await link.command("HGET", keys.of("counters"), "outgoing")
    return count


def marks(taken: list[Due]) -> list[tuple[str, bool]]:
    """Return of each head its id and whether it is in doubt."""
    return [(due.id, due.in_doubt) for due in taken]


# Taking


async def test_one_head_of_each_room_is_taken(outbound: Outbound, link: Link, keys: Keys) -> None:
    """Rooms are served side by side, each with one reply at a time."""
    await put(link, keys, "t/a", "a1", "a2")
    await put(link, keys, "t/b", "b1")

    taken, _ = await outbound.turn([], 10)
    again, wait = await outbound.turn([], 10)

    assert [(due.room, due.id, due.in_doubt) for due in taken] == [
        ("t/a", "m/a1", False),
        ("t/b", "m/b1", False),
    ]
    assert again == []
    assert 0 < wait <= HOLD


async def test_no_more_rooms_are_taken_than_asked_for(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """Those due for longest come first, and the answer says that others are due already."""
    for score, room in enumerate(("t/c", "t/a", "t/b")):
        await put(link, keys, room, room)
        await link.command("ZADD", keys.of("outready"), score, room)

    taken, wait = await outbound.turn([], 2)

    assert [due.room for due in taken] == ["t/c", "t/a"]
    assert wait == 0
    assert [due.room for due in await take(outbound)] == ["t/b"]


async def test_an_empty_queue_has_nothing_to_wait_for(outbound: Outbound) -> None:
    """Without any room the next look is due as late as it ever is."""
    assert await outbound.turn([], 10) == ([], HOLD)


async def test_a_room_that_cannot_be_read_hides_no_other(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """An outbox that is no list is told, left for a while, and taken once it has been put right."""
    await put(link, keys, "t/a", "a1")
    await put(link, keys, "t/b", "b1")
    await put(link, keys, "t/c", "c1")
    await link.command("SET", keys.outbox("t/b"), "rubbish")

    with structlog.testing.capture_logs() as logs:
        taken, wait = await outbound.turn([], 10)

    assert [due.room for due in taken] == ["t/a", "t/c"]
    assert 0 < wait <= HOLD
    ((event, room, error),) = [(entry["event"], entry["room"], entry["error"]) for entry in logs]
    assert (event, room) == ("cannot read a room's outbox", "t/b")
    assert "WRONGTYPE" in error

    await link.command("DEL", keys.outbox("t/b"))
    await put(link, keys, "t/b", "b2")
    await outbound.inherit({"t/a", "t/c"})
    assert marks(await take(outbound)) == [("m/b2", False)]


# Reporting


async def test_sent_replies_leave_in_order_and_leave_nothing(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """Each report pops the head it names; an emptied room leaves no key."""
    await put(link, keys, "t/a", "a1", "a2")

    await tell(outbound, first := await take_one(outbound))
    await tell(outbound, second := await take_one(outbound))

    assert [first.id, second.id] == ["m/a1", "m/a2"]
    assert await link.command("EXISTS", *map(keys.of, ("outready", "intent", "outbox:t/a"))) == 0
    assert await outgoing(link, keys) == b"0"


async def test_a_turn_reports_and_takes(outbound: Outbound, link: Link, keys: Keys) -> None:
    """The turn that hears of a room's reply takes its next one, in no doubt, and those of other rooms that are due."""
    await put(link, keys, "t/a", "a1", "a2")
    await put(link, keys, "t/b", "b1")
    first, other = await take(outbound)
    await put(link, keys, "t/c", "c1")

    taken, wait = await outbound.turn([Report(first), Report(other)], 10)

    assert sorted(marks(taken)) == [("m/a2", False), ("m/c1", False)]
    assert 0 < wait <= HOLD
    assert await outgoing(link, keys) == b"2"


async def test_a_report_says_when_its_room_is_due(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """What is left in a room is not kept waiting until the drain looks again by itself."""
    await put(link, keys, "t/a", "a1", "a2")

    _, at_once = await outbound.turn([Report(await take_one(outbound))], 0)
    _, later = await outbound.turn([Report(await take_one(outbound), "defer", 5.0)], 10)

    assert at_once == 0
    assert 4 < later <= 5


async def test_a_reported_room_is_due_again(outbound: Outbound, link: Link, keys: Keys) -> None:
    """A room that gave way is taken again with its next reply, and that one is in no doubt."""
    await put(link, keys, "t/a", "a1", "a2")

    await tell(outbound, await take_one(outbound))

    due = await take_one(outbound)
    assert (due.id, due.in_doubt) == ("m/a2", False)


async def test_a_repeated_report_pops_nothing_more(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """A report whose answer was lost may be sent again."""
    await put(link, keys, "t/a", "a1", "a2")
    due = await take_one(outbound)

    await tell(outbound, due)
    await tell(outbound, due)

    assert await left(link, keys, "t/a") == 1
    assert await outgoing(link, keys) == b"1"


async def test_a_mix_of_outcomes(outbound: Outbound, link: Link, keys: Keys) -> None:
    """Each report of a turn has its own room's effect, whatever the others are."""
    for name in "abcd":
        await put(link, keys, f"t/{name}", f"{name}1", f"{name}2")
    sent, deferred, doubted, dead = await take(outbound)

    taken, wait = await outbound.turn(
        [
            Report(sent),
            Report(deferred, "defer", 20.0, "slow down"),
            Report(doubted, "doubt", 0.0, "who knows"),
            Report(dead, "dead", 0.0, "no such room"),
        ],
        10,
    )

    assert sorted(marks(taken)) == [("m/a2", False), ("m/c1", True), ("m/d2", False)]
    assert 19 < wait <= 20
    assert [await left(link, keys, f"t/{name}") for name in "abcd"] == [1, 2, 2, 1]
    assert await outgoing(link, keys) == b"6"
    assert await link.command("XLEN", keys.of("dead")) == 1


async def test_a_repeated_turn_changes_nothing_twice(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """A turn whose answer was lost may be repeated whole; what it took comes back when asked for, in no new doubt."""
    for name in "abcd":
        await put(link, keys, f"t/{name}", f"{name}1", f"{name}2", f"{name}3")
    sent, deferred, doubted, dead = await take(outbound)
    reports = [
        Report(sent),
        Report(deferred, "defer", 20.0),
        Report(doubted, "doubt", 0.0),
        Report(dead, "dead", 0.0, "no such room"),
    ]

    lost, _ = await outbound.turn(reports, 10)
    await outbound.inherit()
    again, _ = await outbound.turn(reports, 10)

    assert sorted(marks(lost)) == [("m/a2", False), ("m/c1", True), ("m/d2", False)]
    assert sorted(marks(again)) == sorted(marks(lost))
    assert [await left(link, keys, f"t/{name}") for name in "abcd"] == [2, 3, 3, 2]
    assert await outgoing(link, keys) == b"10"
    assert await link.command("XLEN", keys.of("dead")) == 1


async def test_a_report_of_a_room_that_cannot_be_read_spoils_no_other(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """What became of the other heads of the turn is noted all the same."""
    await put(link, keys, "t/a", "a1")
    await put(link, keys, "t/b", "b1")
    broken, sound = await take(outbound)
    await link.command("SET", keys.outbox("t/a"), "rubbish")

    await outbound.turn([Report(broken), Report(sound)], 0)

    assert await left(link, keys, "t/b") == 0
    assert await outgoing(link, keys) == b"1"


async def test_a_deferred_room_waits_and_no_other_does(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """Deferral moves one room's time and leaves its head in place, in no doubt."""
    await put(link, keys, "t/a", "a1")
    await tell(outbound, await take_one(outbound), "defer", after=0.15)
    await put(link, keys, "t/b", "b1")

    assert [due.room for due in await take(outbound)] == ["t/b"]
    later = await until(lambda: take(outbound))
    assert [(due.room, due.in_doubt) for due in later] == [("t/a", False)]


async def test_an_unknown_outcome_leaves_the_head_in_doubt(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """After a send of which nobody knows, the same head comes again, marked."""
    await put(link, keys, "t/a", "a1")

    await tell(outbound, await take_one(outbound), "doubt")

    due = await take_one(outbound)
    assert (due.id, due.in_doubt) == ("m/a1", True)


async def test_a_doubt_outlives_a_turn_whose_answer_was_lost(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """That nobody heard of a turn settles no doubt that was there before it; an outcome does."""
    await put(link, keys, "t/a", "a1", "a2")
    await tell(outbound, await take_one(outbound), "doubt")

    due = await take_one(outbound)
    for _ in range(3):
        assert await outbound.inherit() == 1
        due = await take_one(outbound)
        assert (due.id, due.in_doubt) == ("m/a1", True)

    assert marks((await outbound.turn([Report(due)], 10))[0]) == [("m/a2", False)]


async def test_a_permanent_refusal_becomes_a_dead_letter(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """The room goes on, and what was given up is kept with its reason."""
    await put(link, keys, "t/a", "a1", "a2")

    await tell(outbound, await take_one(outbound), "dead", reason="no such room")

    ((_, fields),) = await link.command("XRANGE", keys.of("dead"), "-", "+")
    assert fields[3] == b"t/a"
    assert fields[7] == b"no such room"
    assert (await take_one(outbound)).id == "m/a2"
    assert await outgoing(link, keys) == b"1"


# Doubts are counted


async def doubts(link: Link, keys: Keys) -> int:
    """Return how many replies were ever in doubt."""
    return int(await link.command("HGET", keys.of("counters"), "doubts") or 0)


async def test_a_doubt_is_counted_once(outbound: Outbound, link: Link, keys: Keys) -> None:
    """However often it is told, taken and tried again, a reply in doubt is one doubt; the next reply may be another."""
    await put(link, keys, "t/a", "a1", "a2")
    for _ in range(3):
        due = await take_one(outbound)
        await tell(outbound, due, "doubt")
        await tell(outbound, due, "doubt")
        assert await doubts(link, keys) == 1

    await tell(outbound, await take_one(outbound))
    assert await doubts(link, keys) == 1
    await tell(outbound, await take_one(outbound), "doubt")
    assert await doubts(link, keys) == 2


async def test_what_a_predecessor_left_is_counted_once(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """A head that a dead master had taken is one doubt, for all its successors together; a lost answer is none."""
    await put(link, keys, "t/a", "a1")
    await take_one(outbound)
    await outbound.inherit()
    await take_one(outbound)
    assert await doubts(link, keys) == 0

    for token in (LATER, "n3/b3/0.3"):
        await link.command("SET", keys.of("lease"), token)
        successor = Outbound(link, keys, token)
        await successor.inherit()
        assert (await take_one(successor)).in_doubt
        assert await doubts(link, keys) == 1


# What comes about with a report


def note(id_: str = "m/a1/note", room: str = "t/home") -> Reply:
    """Return a note about a reply that was given up."""
    return Reply(id_, room, "could not be said")


async def test_a_note_is_queued_with_the_dead_letter(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """The same turn gives the reply up and takes the note, as a reply of the room it goes to."""
    await put(link, keys, "t/a", "a1")
    due = await take_one(outbound)

    taken, _ = await outbound.turn([Report(due, "dead", reason="gone", note=note())], 10)

    (sent,) = taken
    assert (sent.room, sent.id, sent.in_doubt) == ("t/home", "m/a1/note", False)
    assert decode_reply(sent.data) == note()
    assert await outgoing(link, keys) == b"1"


async def test_a_note_joins_what_is_going_on_in_its_room(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """A room whose last reply is reported by the very turn that writes the note goes on with the note."""
    await put(link, keys, "t/a", "a1")
    await put(link, keys, "t/home", "h1")
    dead, home = await take(outbound)

    taken, _ = await outbound.turn(
        [Report(dead, "dead", reason="gone", note=note()), Report(home)], 10
    )

    assert marks(taken) == [("m/a1/note", False)]


async def test_a_note_is_written_once(outbound: Outbound, link: Link, keys: Keys) -> None:
    """A repeated turn writes no second note, and neither does a master that is deposed."""
    await put(link, keys, "t/a", "a1", "a2")
    report = Report(await take_one(outbound), "dead", reason="gone", note=note())
    for _ in range(2):
        await outbound.turn([report], 0)
    assert await left(link, keys, "t/home") == 1

    (a2, _) = await take(outbound)
    await succeed(link, keys)
    with pytest.raises(Fenced):
        await outbound.turn([Report(a2, "dead", reason="gone", note=note("m/a2/note"))], 0)
    assert await left(link, keys, "t/home") == 1


@pytest.mark.parametrize("trouble", ["full", "no list"])
async def test_a_note_that_finds_no_place_is_left_out(trouble: str, link: Link, keys: Keys) -> None:
    """A full or unusable outbox costs the note, and nothing else of the turn."""
    await link.command("SET", keys.of("lease"), TOKEN)
    outbound = Outbound(link, keys, TOKEN, lambda: QueueSettings(outbox=2))
    await put(link, keys, "t/a", "a1")
    await put(link, keys, "t/b", "b1")
    dead, other = await take(outbound)
    if trouble == "full":
        await link.command("RPUSH", keys.outbox("t/home"), "x|1", "x|2")
    else:
        await link.command("SET", keys.outbox("t/home"), "rubbish")

    await outbound.turn([Report(dead, "dead", reason="gone", note=note()), Report(other)], 0)

    assert await link.command("XLEN", keys.of("dead")) == 1
    assert await link.command("EXISTS", keys.outbox("t/a"), keys.outbox("t/b")) == 0
    assert await outgoing(link, keys) == b"0"
    if trouble == "full":
        assert await left(link, keys, "t/home") == 2


ANSWER = Answer("m/a1", "n1:b1", (User("u1", "Ada"),))


async def answered(link: Link, keys: Keys) -> list[Answer]:
    """Return what node n1 was answered."""
    entries = await link.command("XRANGE", keys.answers("n1:b1"), "-", "+")
    return [decode_answer(fields[1]) for _, fields in entries]


async def test_an_answer_comes_with_the_report_once(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """The call leaves its outbox in the step that tells its node; repeated, it tells nothing more."""
    await put(link, keys, "t/a", "a1")
    report = Report(await take_one(outbound), answer=ANSWER)

    for _ in range(2):
        await outbound.turn([report], 0)

    assert await answered(link, keys) == [ANSWER]
    assert await left(link, keys, "t/a") == 0
    assert 0 < await link.command("PTTL", keys.answers("n1:b1")) <= ANSWER_LIFE * 1000


async def test_a_deposed_master_answers_only_what_nobody_has_taken(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """What it truly heard is told as long as no successor is asking; afterwards the successor tells."""
    await put(link, keys, "t/a", "a1")
    await put(link, keys, "t/b", "b1")
    first, second = await take(outbound)
    successor = await succeed(link, keys)
    with pytest.raises(Fenced):
        await outbound.turn([Report(first, answer=ANSWER)], 0)
    await successor.inherit()
    assert marks(await take(successor)) == [("m/b1", True)]
    with pytest.raises(Fenced):
        await outbound.turn([Report(second, answer=Answer("m/b1", "n1:b1"))], 0)

    assert await answered(link, keys) == [ANSWER]


async def test_an_answer_nobody_can_take_costs_nothing_else(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """A key that holds something else is left alone, and the turn is done."""
    await put(link, keys, "t/a", "a1")
    await link.command("SET", keys.answers("n1:b1"), "rubbish")

    await outbound.turn([Report(await take_one(outbound), answer=ANSWER)], 0)

    assert await outgoing(link, keys) == b"0"
    assert await link.command("GET", keys.answers("n1:b1")) == b"rubbish"


async def test_answers_are_bounded(outbound: Outbound, link: Link, keys: Keys) -> None:
    """A node that asks and never listens leaves about as many answers as are kept, not more."""
    key = keys.answers("n1:b1")
    for _ in range(3):
        await link.command(
            "EVAL",
            "for i = 1, 600 do redis.call('XADD', KEYS[1], '*', 'json', i) end",
            1,
            key,
        )
        await put(link, keys, "t/a", "a1")
        await outbound.turn([Report(await take_one(outbound), answer=ANSWER)], 0)

    assert await link.command("XLEN", key) <= ANSWERS + 200


async def test_a_full_redis_is_emptied(own_server: Server, keys: Keys) -> None:
    """When Redis takes no more, replies still leave it."""
    async with running(own_server) as link:
        await link.command("SET", keys.of("lease"), TOKEN)
        outbound = Outbound(link, keys, TOKEN)
        await put(link, keys, "t/a", "a1", "a2")
        await put(link, keys, "t/b", "b1")
        await link.command("CONFIG", "SET", "maxmemory", 1)

        sent, dead = await take(outbound)
        taken, _ = await outbound.turn([Report(sent), Report(dead, "dead", 0.0, "gone")], 10)

        assert marks(taken) == [("m/a2", False)]
        assert await outgoing(link, keys) == b"1"


# One master after the other


async def test_a_deposed_master_is_refused(outbound: Outbound, link: Link, keys: Keys) -> None:
    """Once the lease holds another token, nothing can be taken, inherited or deferred under the old one."""
    await put(link, keys, "t/a", "a1")
    due = await take_one(outbound)
    await put(link, keys, "t/b", "b1")
    successor = await succeed(link, keys)

    with pytest.raises(Fenced):
        await take(outbound)
    with pytest.raises(Fenced):
        await outbound.inherit()
    for outcome in ("defer", "doubt", "dead"):
        with pytest.raises(Fenced):
            await outbound.turn([Report(due, outcome)], 10)

    assert [await left(link, keys, room) for room in ("t/a", "t/b")] == [1, 1]
    assert await outgoing(link, keys) == b"2"
    assert await link.command("EXISTS", keys.of("dead")) == 0
    assert marks(await take(successor)) == [("m/b1", False)]
    assert await successor.inherit({"t/b"}) == 1
    assert marks(await take(successor)) == [("m/a1", True)]


async def test_a_deposed_master_may_report_a_send_it_made(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """Until a successor has taken the room, a true report spares it a doubt; afterwards it is refused."""
    await put(link, keys, "t/a", "a1", "a2")
    due = await take_one(outbound)
    await link.command("DEL", keys.of("lease"))

    with pytest.raises(Fenced):
        await tell(outbound, due)

    assert await left(link, keys, "t/a") == 1
    successor = await succeed(link, keys)
    due = await take_one(successor)
    assert (due.id, due.in_doubt) == ("m/a2", False)
    with pytest.raises(Fenced):
        await tell(outbound, due)
    assert await left(link, keys, "t/a") == 1


async def test_a_deposed_master_reports_only_what_nobody_doubts(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """Of the sends it reports with one turn, those count that are in no doubt and that no other master has taken."""
    await put(link, keys, "t/taken", "t1")
    taken = await take_one(outbound)
    successor = await succeed(link, keys)
    await successor.inherit()
    assert marks(await take(successor)) == [("m/t1", True)]
    await link.command("SET", keys.of("lease"), TOKEN)
    await put(link, keys, "t/doubted", "d1")
    await tell(outbound, await take_one(outbound), "doubt")
    doubted = await take_one(outbound)
    await put(link, keys, "t/sure", "s1")
    await put(link, keys, "t/unsent", "u1")
    sure, unsent = await take(outbound)
    await link.command("SET", keys.of("lease"), LATER)

    with pytest.raises(Fenced):
        await outbound.turn(
            [Report(taken), Report(doubted), Report(unsent, "defer"), Report(sure)], 10
        )

    assert await successor.inherit() == 3
    assert sorted(marks(await take(successor))) == [("m/d1", True), ("m/t1", True), ("m/u1", True)]
    assert await outgoing(link, keys) == b"3"


async def test_a_successor_inherits_what_is_in_doubt(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """The head a dead master may have sent comes to its successor at once, marked as in doubt."""
    await put(link, keys, "t/a", "a1")
    await take_one(outbound)
    successor = await succeed(link, keys)

    assert await take(successor) == []
    assert await successor.inherit() == 1

    due = await take_one(successor)
    assert (due.id, due.in_doubt) == ("m/a1", True)


async def test_what_is_served_is_not_inherited(outbound: Outbound, link: Link, keys: Keys) -> None:
    """A master that looks for rooms it has not heard of leaves those alone that it is sending to."""
    await put(link, keys, "t/a", "a1")
    await put(link, keys, "t/b", "b1")
    await take(outbound)

    assert await outbound.inherit({"t/a"}) == 1

    assert marks(await take(outbound)) == [("m/b1", False)]


async def test_the_bell_wakes_a_waiting_drain(outbound: Outbound, link: Link, keys: Keys) -> None:
    """A drain that waits with nothing to do hears of the first reply."""
    async with link.reader(5) as reader:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(outbound.wait, reader, 5.0)
                await trio.testing.wait_all_tasks_blocked()
                await link.command("RPUSH", keys.of("bell"), 1)


async def test_a_turn_that_comes_late_changes_nothing(
    outbound: Outbound, link: Link, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that was delayed on its way, and made again meanwhile, must not clear the note of a send that goes on."""
    await put(link, keys, "a", "one")
    due = await take_one(outbound)
    delayed: list[tuple[Any, ...]] = []
    ask = link.script

    async def delay(*call: Any) -> Any:
        delayed.append(call)
        raise StoreUnavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(link, "script", delay)
        with pytest.raises(StoreUnavailable):
            await outbound.turn([Report(due, "defer")], 10)
    (again,), _ = await outbound.turn([Report(due, "defer")], 10)
    assert again.id == due.id
    assert await ask(*delayed[0]) == [-1]
    successor = await succeed(link, keys)
    await successor.inherit()
    assert (await take_one(successor)).in_doubt
