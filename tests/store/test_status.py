"""What there is to see of a cluster, on a real server."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from hachat.core.errors import QueueFull, StoreUnavailable
from hachat.core.ids import make_id
from hachat.core.messages import Message, Reply, Room, User
from hachat.core.settings import QueueSettings
from hachat.core.wire import encode
from hachat.store.commits import Commit
from hachat.store.inbound import Inbound
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link
from hachat.store.members import MISSED, Member
from hachat.store.status import NodeStatus, QueueStatus, Status, read_status, read_version

NOTHING = QueueStatus(0, None)


def member(name: str, **facts: Any) -> Member:
    """Return what node `name` says of itself."""
    return Member(
        name,
        "b1",
        pid=7,
        http="http://x:1",
        version="1",
        started=50.0,
        beat=2.0,
        life=10.0,
        **facts,
    )


async def redis_time(link: Link) -> float:
    """Return Unix seconds by Redis's clock."""
    seconds, micros = await link.command("TIME")
    return int(seconds) + int(micros) / 1e6


async def introduce(link: Link, keys: Keys, *members: Member, silent: float = 0.0) -> None:
    """Let nodes have joined, and have been heard of `silent` seconds ago."""
    for one in members:
        end = (await redis_time(link) - silent + one.life) * 1000
        await link.command("HSET", keys.of("members"), one.consumer, msgspec.json.encode(one))
        await link.command("ZADD", keys.of("nodes"), end, one.consumer)


async def lead(link: Link, keys: Keys, token: bytes | str, since: int = 60_000) -> None:
    """Let the lease hold `token`."""
    await link.command("SET", keys.of("lease"), token, "PX", 60_000)
    await link.command("HSET", keys.of("meta"), "since", since, "epoch", 41)


async def nodes(link: Link, keys: Keys) -> dict[str, NodeStatus]:
    """Return the nodes by name."""
    return {node.name: node for node in (await read_status(link, keys)).nodes}


async def test_a_cluster_that_never_was(link: Link, keys: Keys) -> None:
    """An empty Redis shows a cluster without nodes, master, groups or messages."""
    status = await read_status(link, keys)

    assert status == Status(
        cluster=keys.cluster,
        at=status.at,
        master=None,
        epoch=0,
        since=None,
        lease_left=0.0,
        nodes=[],
        inbound={"chat": NOTHING, "work": NOTHING},
        outbound=NOTHING,
        dead_letters=0,
    )
    assert abs(status.at - await redis_time(link)) < 5


async def test_looking_leaves_no_trace(link: Link, keys: Keys) -> None:
    """Asking for the status of a cluster creates no key."""
    await read_status(link, keys)

    assert await link.command("KEYS", keys.of("*")) == []


async def test_the_holder_of_the_lease_is_the_master(link: Link, keys: Keys) -> None:
    """Node and boot in the lease name one process; every other one that beats is a standby."""
    await introduce(link, keys, member("n2"), member("n1", chat={"irc": "connected"}))
    await lead(link, keys, "n1/b1/0.42")

    status = await read_status(link, keys)
    first, second = status.nodes

    assert (status.master, status.epoch, status.since) == ("n1", 42, 60.0)
    assert 0 < status.lease_left <= 60
    assert (first.name, first.role, first.since) == ("n1", "master", 60.0)
    assert first.chat == {"irc": "connected"}
    assert (second.name, second.role, second.since) == ("n2", "standby", 50.0)
    assert (second.pid, second.http, second.version) == (7, "http://x:1", "1")


async def test_a_standby_shows_no_chat(link: Link, keys: Keys) -> None:
    """What a former master last said of its connections is no longer so."""
    await introduce(link, keys, member("n1", chat={"irc": "connected"}))

    assert (await nodes(link, keys))["n1"].chat == {}


async def test_another_process_of_the_master_s_name_is_not_the_master(
    link: Link, keys: Keys
) -> None:
    """A restarted node does not lead by the lease of its former life."""
    await introduce(link, keys, member("n1"))
    await lead(link, keys, "n1/b0/0.42")

    assert (await nodes(link, keys))["n1"].role == "standby"


@pytest.mark.parametrize(("beats", "role"), [(MISSED - 0.5, "standby"), (MISSED + 0.5, "dead")])
async def test_a_node_that_missed_its_beat_is_dead(
    beats: float, role: str, link: Link, keys: Keys
) -> None:
    """It is shown as dead long before its lease of life ends, with the time it was last heard of."""
    silent = beats * member("n1").beat
    await introduce(link, keys, member("n1"), silent=silent)

    node = (await nodes(link, keys))["n1"]

    assert node.role == role
    if role == "dead":
        assert node.since == pytest.approx(await redis_time(link) - silent, abs=1)


async def test_a_silent_holder_of_the_lease_is_dead(link: Link, keys: Keys) -> None:
    """That its lease still runs makes nobody alive."""
    await introduce(link, keys, member("n1"), silent=8)
    await lead(link, keys, "n1/b1/0.42")

    assert (await nodes(link, keys))["n1"].role == "dead"


async def test_a_node_that_is_gone_is_remembered(link: Link, keys: Keys) -> None:
    """After its conversations were taken over it is still shown, as dead."""
    await introduce(link, keys, member("n1"))
    end = await link.command("ZSCORE", keys.of("nodes"), "n1:b1")
    await link.command("ZREM", keys.of("nodes"), "n1:b1")
    await link.command("HSET", keys.of("gone"), "n1:b1", int(float(end)) - 9_000)

    node = (await nodes(link, keys))["n1"]

    assert node.role == "dead"
    assert node.since == pytest.approx(await redis_time(link) - 9, abs=1)


@pytest.mark.parametrize("lease", [b"", b"rubbish", b"a/b/c", b"a/b/1.x", b"\xff/b/1.2"])
async def test_a_lease_nobody_can_read_is_nobody_s(lease: bytes, link: Link, keys: Keys) -> None:
    """What stands there in another form names no master, and the last known epoch is shown."""
    await lead(link, keys, lease)

    status = await read_status(link, keys)

    assert (status.master, status.epoch, status.since, status.lease_left) == (None, 41, None, 0.0)


@pytest.mark.parametrize(
    "said",
    [b"", b"rubbish", b'{"node":"n9"}', b'{"node":"\xff"}', b"[" * 100_000],
    ids=["empty", "rubbish", "half", "not UTF-8", "nested"],
)
async def test_a_node_nobody_can_read_is_left_out(said: bytes, link: Link, keys: Keys) -> None:
    """A member written by another release, or by mistake, hides none of the others."""
    await introduce(link, keys, member("n1"))
    await link.command("HSET", keys.of("members"), "n9:b9", said)

    assert list(await nodes(link, keys)) == ["n1"]


def message(room: str, age: float) -> Message:
    """Return a message that was queued `age` seconds ago."""
    return Message(make_id(time.time() - age, 0), Room("t", room), User("u"), "hi", 1.0, event=room)


async def test_queues_show_how_much_waits_and_for_how_long(link: Link, keys: Keys) -> None:
    """Depth and age are told for each lane, and how many conversations are in hand."""
    queue = Inbound(link, keys, "n1:b1", QueueSettings())
    await queue.enqueue(message("a", age=30), "chat")
    await queue.enqueue(message("b", age=10), "chat")

    before = (await read_status(link, keys)).inbound
    await queue.prepare()
    async with link.reader(1) as reader:
        await queue.read(reader, "chat", 1)
    after = (await read_status(link, keys)).inbound

    assert (before["chat"].depth, before["chat"].in_hand) == (2, 0)
    assert before["chat"].oldest == pytest.approx(30, abs=2)
    assert (after["chat"].depth, after["chat"].in_hand) == (2, 1)
    assert after["work"] == NOTHING


async def reply(link: Link, keys: Keys, room: str, id_: str) -> None:
    """Put a reply into a room's outbox, as a commit does."""
    data = id_.encode() + b"|" + encode(Reply(id_, room, "hi"))
    await link.command("RPUSH", keys.outbox(room), data)
    await link.command("ZADD", keys.of("outready"), 1, room)
    await link.command("HINCRBY", keys.of("counters"), "outgoing", 1)


async def test_the_outbound_queue_shows_its_age(link: Link, keys: Keys) -> None:
    """A reply is as old as the message that caused it."""
    await reply(link, keys, "t/a", make_id(time.time() - 20, 0) + "/ping/1")

    outbound = (await read_status(link, keys)).outbound

    assert outbound.depth == 1
    assert outbound.oldest == pytest.approx(20, abs=2)


async def test_an_id_that_tells_no_time_has_no_age(link: Link, keys: Keys) -> None:
    """What waits under an id of another kind is counted, and its age is not guessed."""
    await reply(link, keys, "t/a", "m1")

    assert (await read_status(link, keys)).outbound == QueueStatus(1, None)


async def test_a_time_to_come_is_no_negative_age(link: Link, keys: Keys) -> None:
    """A node whose clock is ahead makes nothing younger than new."""
    await reply(link, keys, "t/a", make_id(time.time() + 100, 0))

    assert (await read_status(link, keys)).outbound.oldest == 0.0


async def test_doubts_are_counted(link: Link, keys: Keys) -> None:
    """How many replies were ever in doubt is shown."""
    await link.command("HSET", keys.of("counters"), "doubts", 2)

    assert (await read_status(link, keys)).doubts == 2


async def test_dead_letters_are_counted(link: Link, keys: Keys) -> None:
    """Each entry is one."""
    for _ in range(3):
        await link.command("XADD", keys.of("dead"), "*", "kind", "message")

    assert (await read_status(link, keys)).dead_letters == 3


async def sentences(link: Link, keys: Keys, **limits: Any) -> tuple[list[str], list[str]]:
    """Return what is full, and what nears its limit, by the word that it begins with."""
    status = await read_status(link, keys, QueueSettings(**limits))
    return list(status.full), list(status.warnings)


async def test_what_nears_its_limit_is_a_warning(link: Link, keys: Keys) -> None:
    """Lanes and dead letters are held against the limits of whoever looks."""
    await link.command("HSET", keys.of("counters"), "waiting:work", 4, "waiting:chat", 1)
    for _ in range(2):
        await link.command("XADD", keys.of("dead"), "*", "kind", "message")

    assert await sentences(link, keys) == ([], [])
    full, warnings = await sentences(link, keys, depth=5, dead=2)

    assert full == []
    assert [line.split(":")[0] for line in warnings] == [
        "lane work is nearly full",
        "2 dead letters, 2 are kept",
    ]


async def test_a_full_lane_refuses_as_it_is_told(link: Link, keys: Keys) -> None:
    """What is said of a lane is so."""
    limits = QueueSettings(depth=2)
    queue = Inbound(link, keys, "n1:b1", limits)
    await queue.enqueue_all([message("a", age=1), message("b", age=1)], "chat")

    (outcome,) = await queue.enqueue_all([message("c", age=1)], "chat")
    (sentence,) = (await read_status(link, keys, limits)).full

    assert isinstance(outcome, QueueFull)
    assert sentence.startswith("lane chat is full: 2 messages wait, and nothing more is heard")


async def test_a_mailbox_that_was_full_lately_is_told_of(link: Link, keys: Keys) -> None:
    """It is known from whoever was refused, however many mailboxes there are; of others nothing is said."""
    limits = QueueSettings(mailbox=1)
    queue = Inbound(link, keys, "n1:b1", limits)
    await queue.enqueue_all([message("a", age=1), message("b", age=1)], "chat")
    assert list((await read_status(link, keys, limits)).full) == []

    (outcome,) = await queue.enqueue_all(
        [msgspec.structs.replace(message("a", age=1), event="2")], "chat"
    )
    (sentence,) = (await read_status(link, keys, limits)).full

    assert isinstance(outcome, QueueFull)
    assert sentence == (
        "t/a was full 0 s ago, messages of it were refused; see what its handlers wait for, or raise queue.mailbox"
    )


async def test_an_outbox_that_was_full_lately_is_told_of(link: Link, keys: Keys) -> None:
    """The newest dead letter says so, if it is a reply for which there was no room a short while ago."""
    limits = QueueSettings(outbox=1)
    queue = Inbound(link, keys, "n1:b1", limits)
    await queue.prepare()
    await queue.enqueue(message("a", age=1), "chat")
    _, ((token, head),) = await queue.turn("chat", [], 1)
    await queue.turn(
        "chat", [Commit(token, head, [Reply(f"m/r/{n}", "t/x", "hi") for n in (1, 2)])]
    )

    (sentence,), _ = await sentences(link, keys)

    assert sentence.startswith("t/x had no room for more replies 0 s ago: they become dead letters")
    await link.command("XADD", keys.of("dead"), "*", "kind", "reply", "reason", "no such room")
    assert await sentences(link, keys) == ([], [])


async def test_the_server_says_its_version(link: Link) -> None:
    """The version is the server's own, as numbers and dots."""
    assert all(part.isdigit() for part in (await read_version(link)).split("."))


async def test_without_redis_there_is_no_status(keys: Keys) -> None:
    """A link that does not run answers at once that Redis is unavailable."""
    ended = Link(Direct("redis://127.0.0.1:1"))
    ended._ended = True

    with pytest.raises(StoreUnavailable):
        await read_status(ended, keys)
