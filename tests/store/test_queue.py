"""What waits where, on a real server, and what is called full."""

from __future__ import annotations

import time

import pytest

from hachat.core.ids import make_id
from hachat.core.messages import Message, Reply, Room, User
from hachat.core.settings import QueueSettings
from hachat.core.wire import encode
from hachat.store import queue as module
from hachat.store.inbound import Inbound
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.outbound import Outbound, Report
from hachat.store.queue import Queues, find_full, read_queues
from tests.store.letters import bury, message, webhook

TOKEN = "n1/b1/0.1"


def aged(room: str, age: float, number: int = 0) -> Message:
    """Return a message that was made `age` seconds ago."""
    return Message(make_id(time.time() - age, number), Room("t", room), User("u"), "hi", 1.0)


async def put(link: Link, keys: Keys, room: str, count: int = 1, age: float = 0.0) -> None:
    """Put replies into an outbox, as commits do."""
    for number in range(count):
        one = Reply(f"{make_id(time.time() - age, number)}/ping/1", room, "hi")
        await link.command("RPUSH", keys.outbox(room), one.id.encode() + b"|" + encode(one))
        await link.command("ZADD", keys.of("outready"), "NX", 1, room)
        await link.command("HINCRBY", keys.of("counters"), "outgoing", 1)


@pytest.fixture
async def inbound(link: Link, keys: Keys) -> Inbound:
    """The inbound queue of node n1."""
    made = Inbound(link, keys, "n1:b1", QueueSettings())
    await made.prepare()
    return made


@pytest.fixture
async def outbound(link: Link, keys: Keys) -> Outbound:
    """The outbound queue of the master."""
    await link.command("SET", keys.of("lease"), TOKEN)
    return Outbound(link, keys, TOKEN)


async def test_a_cluster_that_never_was_has_nothing_waiting(link: Link, keys: Keys) -> None:
    """An empty Redis is shown as empty, and looking leaves no trace."""
    queues = await read_queues(link, keys)

    for lane in queues.lanes.values():
        assert (lane.waiting, lane.oldest, lane.mailboxes, lane.in_hand, lane.longest) == (
            *(0, None, 0),
            *({}, []),
        )
    assert (queues.outbound.replies, queues.outbound.rooms, queues.outbound.deferred) == (0, 0, [])
    assert (queues.dead_letters, queues.dead_cut) == (0, 0)
    assert find_full(queues, QueueSettings()) == []
    assert await link.command("KEYS", keys.of("*")) == []


async def test_lanes_show_what_waits_and_who_holds_it(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """How many messages, in how many mailboxes, since when, and how many conversations each node has in hand."""
    await inbound.enqueue_all([aged("a", 30), aged("b", 50, 1), aged("b", 40, 2)], "chat")
    await inbound.enqueue(aged("c", 20), "chat")
    await inbound.enqueue(webhook(1), "work")
    await inbound.turn("chat", [], 1)
    await Inbound(link, keys, "n2:b2", QueueSettings()).turn("chat", [], 1)
    await Inbound(link, keys, "n2:b3", QueueSettings()).turn("chat", [], 1)

    queues = await read_queues(link, keys)

    chat, work = queues.lanes["chat"], queues.lanes["work"]
    assert (chat.waiting, chat.mailboxes, chat.looked_at) == (4, 3, 3)
    assert chat.oldest == pytest.approx(50, abs=2), "that of any mailbox that is told of"
    assert chat.in_hand == {"n1": 1, "n2": 2}
    assert [(box.name, box.length) for box in chat.longest] == [("t/b", 2), ("t/a", 1), ("t/c", 1)]
    assert chat.longest[0].oldest == pytest.approx(50, abs=2)
    assert (work.waiting, work.mailboxes, work.oldest, work.in_hand) == (1, 1, None, {})


async def test_the_longest_are_told_of(
    inbound: Inbound, link: Link, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many boxes only the longest few are named, among those that were looked at."""
    monkeypatch.setattr(module, "TELL", 2)
    monkeypatch.setattr(module, "LOOK", 4)
    for number, count in enumerate((1, 3, 2, 1, 9)):
        for _ in range(count):
            await inbound.enqueue(aged(f"r{number}", 1, hash((number, _))), "chat")
        await put(link, keys, f"t/r{number}", count)
        await link.command("ZADD", keys.of("outready"), number, f"t/r{number}")

    queues = await read_queues(link, keys)

    for seen in (queues.lanes["chat"], queues.outbound):
        assert [(box.name, box.length) for box in seen.longest] == [("t/r1", 3), ("t/r2", 2)]
        assert seen.looked_at == 4
    assert (queues.lanes["chat"].mailboxes, queues.outbound.rooms) == (5, 5)


async def test_a_detached_conversation_is_looked_at_where_it_waits(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """A token that stands for another mailbox than it names shows that one."""
    await inbound.enqueue(message(1), "chat")
    await inbound.enqueue(message(2, "dev"), "chat")
    ((entry, _), *_) = await link.command("XRANGE", keys.ready("chat"), "-", "+")
    await link.command("RENAME", keys.mailbox("t/ops"), keys.mailbox("t/ops+m1"))
    await link.command(
        "HSET", keys.of("detached"), f"{keys.ready('chat')} {entry.decode()}", "t/ops+m1"
    )

    names = [box.name for box in (await read_queues(link, keys)).lanes["chat"].longest]

    assert names == ["t/dev", "t/ops+m1"]


async def test_rooms_are_being_sent_in_doubt_or_deferred(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """Of each room it is known whether it is being sent to, in doubt, or told to wait, and then until when and why."""
    for room in ("t/sent", "t/doubt", "t/defer", "t/hand"):
        await put(link, keys, room, 2, age=20)
    taken, _ = await outbound.turn([], 3)
    reports = {"t/sent": Report(taken[0])}
    for due in taken:
        if due.room == "t/defer":
            reports[due.room] = Report(due, "defer", 60.0, "429: slow\ndown")
        elif due.room == "t/doubt":
            reports[due.room] = Report(due, "doubt", 60.0, "no answer")
    await outbound.turn([reports[due.room] for due in taken if due.room in reports], 0)
    await outbound.turn([], 10)
    await put(link, keys, "t/new")

    queues = await read_queues(link, keys)

    rooms = queues.outbound
    assert (rooms.replies, rooms.rooms) == (9, 5)
    assert rooms.oldest == pytest.approx(20, abs=2)
    assert (rooms.in_doubt, rooms.deferred_rooms) == (1, 1)
    assert rooms.sending == 2
    (deferred,) = rooms.deferred
    assert (deferred.room, deferred.why, deferred.replies) == ("t/defer", "429: slow down", 2)
    assert deferred.until == pytest.approx(queues.at + 60, abs=5)


async def test_an_old_reason_is_not_told_of_a_new_deferral(
    outbound: Outbound, link: Link, keys: Keys
) -> None:
    """Why a room waits is said only where it was noted of this very wait; rubbish is no reason."""
    await put(link, keys, "t/a", 2)
    (due,), _ = await outbound.turn([], 1)
    await outbound.turn([Report(due, "defer", 60.0, "slow down")], 0)
    await link.command("ZADD", keys.of("outready"), 9e12, "t/a", 9e12, "t/b", 9e12 + 1, "t/c")
    await link.command("HSET", keys.of("deferred"), "t/b", b"\xff", "t/c", "9000000000001|late")

    deferred = (await read_queues(link, keys)).outbound.deferred

    assert [(one.room, one.why, one.until) for one in deferred] == [
        ("t/a", "", 9e9),
        ("t/b", "", 9e9),
        ("t/c", "late", 9e9 + 0.001),
    ]


async def test_an_emptied_room_leaves_no_reason(outbound: Outbound, link: Link, keys: Keys) -> None:
    """What was noted of a deferral goes with the room's last reply."""
    await put(link, keys, "t/a")
    (due,), _ = await outbound.turn([], 1)
    await outbound.turn([Report(due, "defer", 0.0, "slow down")], 0)
    assert await link.command("HLEN", keys.of("deferred")) == 1
    (due,), _ = await outbound.turn([], 1)

    await outbound.turn([Report(due)], 0)

    assert await link.command("EXISTS", keys.of("deferred")) == 0


async def test_rubbish_hides_nothing(inbound: Inbound, link: Link, keys: Keys) -> None:
    """Boxes of another type and names that are no text are shown as far as they go."""
    await inbound.enqueue(message(1), "chat")
    await inbound.enqueue(message(2, "dev"), "chat")
    await link.command("SET", keys.mailbox("t/ops"), "rubbish")
    await link.command("ZADD", keys.of("outready"), 9e12, b"\xff\x1b")
    await link.command("SET", keys.outbox("t/x"), "rubbish")
    await link.command("ZADD", keys.of("outready"), 1, "t/x")

    queues = await read_queues(link, keys)

    assert [box.name for box in queues.lanes["chat"].longest] == ["t/dev"]
    assert [one.room for one in queues.outbound.deferred] == ["\\xff\x1b"]


async def full(link: Link, keys: Keys, limits: QueueSettings) -> tuple[Queues, list[str]]:
    """Return what waits, and what is full."""
    queues = await read_queues(link, keys)
    return queues, find_full(queues, limits)


async def test_what_is_full_is_said(inbound: Inbound, link: Link, keys: Keys) -> None:
    """Lanes, mailboxes, outboxes and dead letters each have their sentence at their limit, and none below it."""
    await inbound.enqueue_all([message(1), message(2)], "chat")
    await inbound.enqueue(webhook(1), "work")
    await put(link, keys, "t/x", 2)
    for number in range(8):
        await bury(link, keys, message(number))
    await link.command("HINCRBY", keys.of("counters"), "dead_cut", 4)

    _, none = await full(link, keys, QueueSettings(depth=3, mailbox=3, outbox=3, dead=11))
    _, nearly = await full(link, keys, QueueSettings(depth=3, mailbox=3, outbox=3, dead=10))
    queues, all_ = await full(link, keys, QueueSettings(depth=2, mailbox=2, outbox=2, dead=8))

    assert none == []
    assert nearly == ["8 dead letters, and beyond 10 the oldest are cut; see `hachat dead list`"]
    assert all_ == [
        (
            "lane chat is full: 2 messages wait, and nothing more is heard until some are handled;"
            " `hachat queue` shows where they wait; start more nodes, or raise queue.depth"
        ),
        (
            "t/ops is full: 2 messages wait, more are refused; see what its handlers wait for,"
            " or raise queue.mailbox"
        ),
        (
            "t/x has 2 replies, no more are kept: further ones become dead letters;"
            " `hachat dead retry` sends them later"
        ),
        "8 dead letters, 8 are kept: the oldest are cut; see `hachat dead list`",
    ]
    assert (queues.dead_letters, queues.dead_cut) == (8, 4)


async def test_work_may_fill_its_lane_with_one_conversation(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """The limit of a mailbox is for people's rooms."""
    await inbound.enqueue_all([webhook(1), webhook(1)], "work")

    _, sentences = await full(link, keys, QueueSettings(depth=5, mailbox=1))

    assert sentences == []
