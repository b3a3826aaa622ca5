"""The inbound queue's scripts, on a real server: what each answers, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
import trio
from msgspec.structs import replace

from hachat.core.errors import QueueFull, StoreError, StoreRefused
from hachat.core.messages import Job, Message, Reply, Room, User
from hachat.core.settings import QueueSettings
from hachat.core.wire import decode_inbound, decode_reply
from hachat.store.commits import Commit, Head, Held, Later, Token, Verdict, mark
from hachat.store.inbound import DEATHS, NOTE, Inbound
from hachat.store.keys import GROUP, Keys
from hachat.store.link import Link
from hachat.store.scripts import Script
from hachat.store.trail import trace

ROOM = Room("test", "ops")


def message(number: int, *, room: Room = ROOM, event: str = "") -> Message:
    """Return a message whose id is its number."""
    return Message(
        f"m{number}", room, User("u1"), f"text {number}", 1.0, event=event or f"e{number}"
    )


def queue(link: Link, keys: Keys, consumer: str = "n1:b1", **limits: Any) -> Inbound:
    """Return the queue as node `consumer` sees it."""
    return Inbound(link, keys, consumer, QueueSettings(**limits))


async def take(inbound: Inbound, link: Link, count: int = 10) -> list[Token]:
    """Read tokens of the chat lane."""
    async with link.reader(1) as reader:
        return await inbound.read(reader, "chat", count)


async def heads(link: Link, keys: Keys, conversation: str = "test/ops") -> list[Head]:
    """Return what waits in a mailbox."""
    items = await link.command("LRANGE", keys.mailbox(conversation), 0, -1)
    pairs = [item.partition(b"|")[::2] for item in items]
    return [Head(mark.decode(), data) for mark, data in pairs]


async def commit(
    inbound: Inbound, token: Token, head: Head | None, replies: Sequence[Reply] = (), **options: Any
) -> Verdict:
    """Commit one head and return the verdict."""
    (answer,), taken = await inbound.turn("chat", [Commit(token, head, replies, **options)])
    assert not isinstance(answer, StoreError)
    assert not taken
    return answer[0]


async def die(link: Link, keys: Keys, consumer: str) -> None:
    """Let a node's lease of life run out."""
    await link.command("ZADD", keys.of("nodes"), 1, consumer)


async def leftovers(link: Link, keys: Keys) -> set[str]:
    """Return the names of the cluster's keys, less those that stay by design."""
    found = await link.command("KEYS", keys.of("*"))
    names = {key.decode().removeprefix(keys.of("")) for key in found}
    return {name for name in names if not name.startswith(("seen:", "ready:", "trail"))}


@pytest.fixture
async def inbound(link: Link, keys: Keys) -> Inbound:
    """The queue of node n1, its consumer groups made."""
    made = queue(link, keys)
    await made.prepare()
    return made


async def test_a_message_comes_out_as_it_went_in(inbound: Inbound, link: Link, keys: Keys) -> None:
    """What is queued can be read back whole by whoever holds the conversation's token."""
    assert await inbound.enqueue(message(1), "chat")

    (token,) = await take(inbound, link)
    (head,) = await heads(link, keys, token.conversation)

    assert token.conversation == "test/ops"
    assert decode_inbound(head.data) == message(1)


async def test_an_event_is_queued_once(inbound: Inbound, link: Link, keys: Keys) -> None:
    """A second delivery of the same event is recognised, even after the first was handled."""
    assert await inbound.enqueue(message(1), "chat")
    assert not await inbound.enqueue(message(1), "chat")

    (token,) = await take(inbound, link)
    (head,) = await heads(link, keys, token.conversation)
    await commit(inbound, token, head, ())

    assert not await inbound.enqueue(message(1), "chat")
    assert await link.command("HGET", keys.of("counters"), "waiting:chat") == b"0"


async def test_a_full_lane_refuses_and_leaves_no_trace(link: Link, keys: Keys) -> None:
    """At the depth limit nothing is queued, and the event may come again later."""
    small = queue(link, keys, depth=2)
    await small.prepare()
    await small.enqueue(message(1), "chat")
    await small.enqueue(message(2, room=Room("test", "dev")), "chat")

    with pytest.raises(QueueFull, match="2 messages are waiting in lane chat"):
        await small.enqueue(message(3), "chat")

    assert await link.command("EXISTS", keys.seen(message(3).source)) == 0
    assert await small.enqueue(message(3), "work")


async def test_a_full_mailbox_refuses_its_own_conversation_only(link: Link, keys: Keys) -> None:
    """The mailbox limit stops one room and no other."""
    small = queue(link, keys, mailbox=1)
    await small.enqueue(message(1), "chat")

    with pytest.raises(QueueFull, match="test/ops"):
        await small.enqueue(message(2), "chat")

    assert await small.enqueue(message(3, room=Room("test", "dev")), "chat")


async def test_a_conversation_has_one_token_while_it_is_not_empty(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """However many messages wait in a room, one node at a time may handle them."""
    for number in range(5):
        await inbound.enqueue(message(number), "chat")

    tokens = await take(inbound, link)

    assert len(tokens) == 1
    assert [head.id for head in await heads(link, keys)] == [
        "m0",
        "m1",
        "m2",
        "m3",
        "m4",
    ]


async def test_commit_answers_more_until_the_mailbox_is_empty(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """The token is kept while messages wait and given back with the last."""
    for number in range(2):
        await inbound.enqueue(message(number), "chat")
    (token,) = await take(inbound, link)
    first, second = await heads(link, keys, token.conversation)

    assert await commit(inbound, token, first, ()) is Verdict.MORE
    assert await commit(inbound, token, second, ()) is Verdict.DONE

    assert await link.command("XLEN", keys.ready("chat")) == 0
    assert await leftovers(link, keys) == {"counters"}


async def test_giving_way_puts_the_token_at_the_tail(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """With `give_way` another conversation comes first, and the rest of this one afterwards."""
    other = Room("test", "dev")
    for number in range(2):
        await inbound.enqueue(message(number), "chat")
    await inbound.enqueue(message(2, room=other), "chat")
    (token,) = await take(inbound, link, 1)
    (first, _) = await heads(link, keys, token.conversation)

    assert await commit(inbound, token, first, (), give_way=True) is Verdict.DONE

    assert [token.conversation for token in await take(inbound, link)] == ["test/dev", "test/ops"]


async def test_a_look_may_pass_a_conversation_on(inbound: Inbound, link: Link, keys: Keys) -> None:
    """Who cannot handle the head leaves the conversation as it is to others, behind those that wait already."""
    other = Room("test", "dev")
    await inbound.enqueue_all([message(1), message(2), message(3, room=other)], "chat")
    (token,) = await take(inbound, link, 1)

    assert await commit(inbound, token, None, give_way=True) is Verdict.DONE

    assert [token.conversation for token in await take(inbound, link)] == ["test/dev", "test/ops"]
    assert [head.id for head in await heads(link, keys)] == ["m1", "m2"]


async def test_a_repeated_commit_changes_nothing(inbound: Inbound, link: Link, keys: Keys) -> None:
    """A commit whose answer was lost may be sent again: the next message is not popped, no reply is doubled."""
    for number in range(2):
        await inbound.enqueue(message(number), "chat")
    (token,) = await take(inbound, link)
    first, second = await heads(link, keys, token.conversation)
    reply = Reply("m0/r/0", "test/ops", "hi")

    assert await commit(inbound, token, first, [reply]) is Verdict.MORE
    assert await commit(inbound, token, first, [reply]) is Verdict.GONE

    assert await heads(link, keys, token.conversation) == [second]
    assert await link.command("LLEN", keys.outbox("test/ops")) == 1


async def test_a_commit_without_the_token_is_lost(inbound: Inbound, link: Link, keys: Keys) -> None:
    """Who does not hold the token changes nothing, whatever it has handled."""
    await inbound.enqueue(message(1), "chat")
    (token,) = await take(inbound, link)
    (head,) = await heads(link, keys, token.conversation)

    assert (
        await commit(queue(link, keys, "n2:b2"), token, head, [Reply("m1/r/0", "test/ops", "hi")])
        is Verdict.LOST
    )

    assert await heads(link, keys, token.conversation) == [head]
    assert await link.command("EXISTS", keys.outbox("test/ops")) == 0


async def test_replies_wait_in_the_order_they_were_made(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """Replies of one commit stand in their rooms' outboxes in order, and the rooms are due."""
    await inbound.enqueue(message(1), "chat")
    (token,) = await take(inbound, link)
    (head,) = await heads(link, keys, token.conversation)
    replies = [
        Reply(f"m1/r/{n}", room, f"text {n}")
        for n, room in enumerate(["test/ops", "test/dev", "test/ops"])
    ]

    await commit(inbound, token, head, replies)

    waiting = await link.command("LRANGE", keys.outbox("test/ops"), 0, -1)
    assert [item.partition(b"|")[0] for item in waiting] == [b"m1/r/0", b"m1/r/2"]
    assert sorted(await link.command("ZRANGE", keys.of("outready"), 0, -1)) == [
        b"test/dev",
        b"test/ops",
    ]
    assert await link.command("LLEN", keys.of("bell")) == 1
    assert await link.command("HGET", keys.of("counters"), "outgoing") == b"3"


async def test_a_reply_that_does_not_fit_becomes_a_dead_letter(link: Link, keys: Keys) -> None:
    """A full outbox loses nothing silently and holds up no handler."""
    small = queue(link, keys, outbox=1)
    await small.prepare()
    await small.enqueue(message(1), "chat")
    (token,) = await take(small, link)
    (head,) = await heads(link, keys, token.conversation)

    await commit(
        small, token, head, [Reply("m1/r/0", "test/ops", "a"), Reply("m1/r/1", "test/ops", "b")]
    )

    assert await link.command("LLEN", keys.outbox("test/ops")) == 1
    ((_, fields),) = await link.command("XRANGE", keys.of("dead"), "-", "+")
    assert fields[::2] == [b"kind", b"origin", b"data", b"reason"]
    assert fields[5].startswith(b"m1/r/1|")


async def overflow(
    link: Link,
    keys: Keys,
    replies: Sequence[Reply],
    *,
    early: bool = False,
    note: str = NOTE,
) -> tuple[list[Reply], list[str]]:
    """Say something where an outbox holds two replies; return what waits in test/ops, and the ids in dead letters."""
    small = Inbound(link, keys, "n1:b1", QueueSettings(outbox=2), note=note)
    await small.prepare()
    await small.enqueue(message(1), "chat")
    (token,) = await take(small, link)
    (head,) = await heads(link, keys, token.conversation)
    for _ in range(2):  # a repeated call changes nothing
        if early:
            await small.progress(token, head, replies)
        else:
            await commit(small, token, head, replies)
    items = await link.command("LRANGE", keys.outbox("test/ops"), 0, -1)
    assert [item.partition(b"|")[0].decode() for item in items] == [
        decode_reply(item.partition(b"|")[2]).id for item in items
    ]
    lengths = [
        await link.command("LLEN", key) for key in await link.command("KEYS", keys.outbox("*"))
    ]
    assert int(await link.command("HGET", keys.of("counters"), "outgoing")) == sum(lengths)
    letters = await link.command("XRANGE", keys.of("dead"), "-", "+")
    return [decode_reply(item.partition(b"|")[2]) for item in items], [
        fields[5].partition(b"|")[0].decode() for _, fields in letters
    ]


def elsewhere(text: str, *, count: int = 3, origin: str = "test/ops") -> list[Reply]:
    """Return replies to a room that has no place for the last of them."""
    return [
        Reply(f"m1/r/{number}", "test/dev", text, about="m1", origin=origin)
        for number in range(count)
    ]


@pytest.mark.parametrize("early", [False, True])
async def test_who_asked_is_told_of_a_reply_that_found_no_place(
    early: bool,  # noqa: FBT001 - a table
    link: Link,
    keys: Keys,
) -> None:
    """The step that makes it a dead letter says so in the room of the request, which is due; once."""
    waiting, dead = await overflow(link, keys, elsewhere('done ü/"\n|'), early=early)

    assert dead == ["m1/r/2"]
    assert waiting == [
        Reply(
            "m1/r/2/note",
            "test/ops",
            'This could not be said in test/dev (the outbox of the room is full): done ü/"\n|',
            about="m1",
        )
    ]
    assert await link.command("ZSCORE", keys.of("outready"), "test/ops") is not None
    assert await link.command("LLEN", keys.of("bell")) == 1
    assert ("reply", "m1/r/2/note") in {
        (step.what, step.id) for step in (await trace(link, keys, "m1")).steps
    }


@pytest.mark.parametrize("early", [False, True])
async def test_a_note_is_in_the_language_of_the_node(
    early: bool,  # noqa: FBT001 - a table
    link: Link,
    keys: Keys,
) -> None:
    """The room is put where that names it, whatever there is in its name."""
    replies = [replace(reply, room="test/%1{room}") for reply in elsewhere("fertig")]
    (note,), _ = await overflow(
        link, keys, replies, early=early, note="Kein Platz in {room} (voll, 100 %)"
    )

    assert note.text == "Kein Platz in test/%1{room} (voll, 100 %): fertig"


@pytest.mark.parametrize("early", [False, True])
async def test_a_note_is_english_unless_it_is_told_otherwise(
    early: bool,  # noqa: FBT001 - a table
    link: Link,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker in another language need not say how a note reads."""
    call = link.script

    async def leave_out(script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return await call(script, keys, [each for each in arguments if each != "no note"])

    monkeypatch.setattr(link, "script", leave_out)
    (note,), _ = await overflow(link, keys, elsewhere("done"), early=early, note="no note")

    assert note.text == "This could not be said in test/dev (the outbox of the room is full): done"


@pytest.mark.parametrize("early", [False, True])
async def test_what_was_meant_for_one_is_not_told_to_all(
    early: bool,  # noqa: FBT001 - a table
    link: Link,
    keys: Keys,
) -> None:
    """Of a private reply that found no place the note says that, and nothing of it."""
    replies = [replace(reply, room="test/@anna") for reply in elsewhere("secret")]
    waiting, _ = await overflow(link, keys, replies, early=early)

    assert [reply.text for reply in waiting] == [
        "This could not be said in test/@anna (the outbox of the room is full)"
    ]


@pytest.mark.parametrize("early", [False, True])
async def test_a_note_takes_no_reply_s_place(
    early: bool,  # noqa: FBT001 - a table
    link: Link,
    keys: Keys,
) -> None:
    """What was to be said comes first, and where no place is left there is no note, nor a letter about it."""
    here = [Reply(f"m1/h/{number}", "test/ops", "here", about="m1") for number in range(2)]

    waiting, dead = await overflow(link, keys, [*elsewhere("done"), *here], early=early)

    assert dead == ["m1/r/2"]
    assert [reply.id for reply in waiting] == ["m1/h/0", "m1/h/1"]


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(
    "replies",
    [
        elsewhere("done", origin=""),
        elsewhere("done", origin="test/dev"),
        [msgspec.structs.replace(reply, id=f"{reply.id}/note") for reply in elsewhere("done")],
    ],
)
async def test_there_is_no_note_where_nobody_is_to_be_told(
    replies: list[Reply],
    early: bool,  # noqa: FBT001 - a table
    link: Link,
    keys: Keys,
) -> None:
    """Neither the full room itself, nor of a note, which would go on for ever."""
    waiting, dead = await overflow(link, keys, replies, early=early)

    assert (waiting, dead) == ([], [replies[2].id])
    assert await link.command("LLEN", keys.outbox("test/dev")) == 2


@pytest.mark.parametrize("early", [False, True])
async def test_a_note_quotes_the_beginning(
    early: bool,  # noqa: FBT001 - a table
    link: Link,
    keys: Keys,
) -> None:
    """A long reply is cut, between characters."""
    (note,), _ = await overflow(link, keys, elsewhere("a" + "ü" * 500), early=early)

    assert note.text.endswith("full): a" + "ü" * 99 + "…")


@pytest.mark.parametrize("early", [False, True])
async def test_a_note_that_cannot_be_written_stops_nobody(
    early: bool,  # noqa: FBT001 - a table
    link: Link,
    keys: Keys,
) -> None:
    """Where something else stands in the outbox's place, the commit goes on without it."""
    await link.command("SET", keys.outbox("test/origin"), "rubbish")
    small = queue(link, keys, outbox=2)
    await small.prepare()
    await small.enqueue(message(1), "chat")
    (token,) = await take(small, link)
    (head,) = await heads(link, keys, token.conversation)

    if early:
        told = await small.progress(token, head, elsewhere("done", origin="test/origin"))
        assert told.held is Held.HELD
    else:
        replies = elsewhere("done", origin="test/origin")
        assert await commit(small, token, head, replies) is Verdict.DONE

    assert await link.command("XLEN", keys.of("dead")) == 1
    assert await link.command("HGET", keys.of("counters"), "outgoing") == b"2"


async def test_a_message_given_up_is_kept_with_its_reason(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """What cannot be handled leaves the mailbox for the dead letters, bytes and all."""
    await inbound.enqueue(message(1), "chat")
    (token,) = await take(inbound, link)
    (head,) = await heads(link, keys, token.conversation)

    assert await commit(inbound, token, head, (), give_up="no such thing") is Verdict.DONE

    ((_, fields),) = await link.command("XRANGE", keys.of("dead"), "-", "+")
    assert fields[3] == b"test/ops"
    assert fields[5] == b"m1|" + head.data
    assert fields[7] == b"no such thing"


async def test_a_message_given_up_in_part_is_kept_with_that_part(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """A letter of its own takes the place of the head, which leaves the mailbox all the same."""
    await inbound.enqueue(message(1), "chat")
    (token,) = await take(inbound, link)
    (head,) = await heads(link, keys, token.conversation)
    letter = msgspec.structs.replace(message(1), only=("h.m",), v=2)

    answer = await commit(inbound, token, head, (), give_up="h.m: no", letter=letter)

    assert answer is Verdict.DONE
    ((_, fields),) = await link.command("XRANGE", keys.of("dead"), "-", "+")
    assert fields[5] == mark(letter)
    assert await heads(link, keys, token.conversation) == []


async def test_a_dead_node_s_conversations_are_taken_over(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """When a node's lease of life has run out, another holds its tokens, and its own late commit is lost."""
    await inbound.enqueue(message(1), "chat")
    (token,) = await take(inbound, link)
    (head,) = await heads(link, keys, token.conversation)
    await die(link, keys, "n1:b1")
    second = queue(link, keys, "n2:b2")

    assert await second.reap(10) == [token]
    assert await second.reap(10) == []

    assert await commit(inbound, token, head, ()) is Verdict.LOST
    assert await commit(second, token, head, ()) is Verdict.DONE
    assert await link.command("ZSCORE", keys.of("nodes"), "n1:b1") is None
    assert await link.command("HEXISTS", keys.of("gone"), "n1:b1") == 1
    assert await leftovers(link, keys) == {"counters", "gone"}


async def test_only_lanes_that_are_served_are_taken_over(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """What a dead node held in another lane waits for those who serve it, and the node is missed until then."""
    await inbound.enqueue(message(1), "chat")
    await take(inbound, link)
    await die(link, keys, "n1:b1")
    second = queue(link, keys, "n2:b2")

    assert await second.reap(10, ["work"]) == []
    assert await link.command("ZSCORE", keys.of("nodes"), "n1:b1") is not None
    assert len(await second.reap(10, ["chat"])) == 1
    assert await link.command("ZSCORE", keys.of("nodes"), "n1:b1") is None


async def test_a_living_node_is_not_robbed(inbound: Inbound, link: Link, keys: Keys) -> None:
    """As long as the node lease lasts its handlers may take as long as they like."""
    await inbound.enqueue(message(1), "chat")
    await take(inbound, link)
    await link.command("ZADD", keys.of("nodes"), 1e15, "n1:b1")

    assert await queue(link, keys, "n2:b2").reap(10) == []


async def test_no_more_is_taken_over_than_there_is_room_for(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """What one node cannot start yet stays for others, and for its own next turn."""
    for number in range(3):
        await inbound.enqueue(message(number, room=Room("test", f"r{number}")), "chat")
    await take(inbound, link)
    await die(link, keys, "n1:b1")
    second, third = queue(link, keys, "n2:b2"), queue(link, keys, "n3:b3")

    assert len(await second.reap(2)) == 2
    assert len(await third.reap(2)) == 1


async def test_a_message_that_takes_nodes_along_is_given_up(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """After the third node has died while handling it, a message becomes a dead letter and its room goes on."""
    for number in range(2):
        await inbound.enqueue(message(number), "chat")
    (token,) = await take(inbound, link)
    holder = "n1:b1"
    for turn in range(DEATHS):
        await die(link, keys, holder)
        holder = f"n{turn}:later"
        (token,) = await queue(link, keys, holder).reap(10)

    (head,) = await heads(link, keys, token.conversation)
    assert head.id == "m1"
    ((_, fields),) = await link.command("XRANGE", keys.of("dead"), "-", "+")
    assert fields[5].startswith(b"m0|")
    assert fields[7] == b"3 nodes died while handling it"
    assert await link.command("HGET", keys.of("counters"), "waiting:chat") == b"1"


async def test_what_is_no_message_is_given_up_like_one(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """Bytes that somebody put into a mailbox stop no take-over, and are counted as what they stand for."""
    await inbound.enqueue(message(1), "chat")
    await link.command("LSET", keys.mailbox("test/ops"), 0, "rubbish")
    await take(inbound, link)
    holder = "n1:b1"
    for turn in range(DEATHS):
        await die(link, keys, holder)
        holder = f"n{turn}:later"
        await queue(link, keys, holder).reap(10)

    ((_, fields),) = await link.command("XRANGE", keys.of("dead"), "-", "+")
    assert fields[5] == b"rubbish"
    assert await link.command("HGET", keys.of("counters"), "waiting:chat") == b"0"
    assert await leftovers(link, keys) == {"counters", "dead", "gone"}


async def test_progress_clears_the_count_of_deaths(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """A death counts against the message that was being handled, not against those after it."""
    for number in range(2):
        await inbound.enqueue(message(number), "chat")
    await take(inbound, link)
    await die(link, keys, "n1:b1")
    second = queue(link, keys, "n2:b2")
    (token,) = await second.reap(10)
    first, _ = await heads(link, keys, token.conversation)

    await commit(second, token, first, ())

    assert await link.command("EXISTS", keys.of("deaths")) == 0


async def test_a_leaving_node_hands_back_what_it_holds(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """Tokens handed back are read by the next node at once, count as no death, and the consumer is gone."""
    await inbound.enqueue(message(1), "chat")
    (token,) = await take(inbound, link)

    assert await inbound.hand_back("chat") == 1

    second = queue(link, keys, "n2:b2")
    (again,) = await take(second, link)
    assert again.conversation == token.conversation
    assert await link.command("EXISTS", keys.of("deaths")) == 0
    consumers = await link.command("XINFO", "CONSUMERS", keys.ready("chat"), GROUP)
    assert [consumer[1] for consumer in consumers] == [b"n2:b2"]


async def test_tokens_given_without_our_hearing_are_found(inbound: Inbound, link: Link) -> None:
    """A read whose answer was lost leaves tokens with us; `held` shows them."""
    await inbound.enqueue(message(1), "chat")
    (token,) = await take(inbound, link)

    assert await inbound.held("chat") == [token]
    assert await inbound.held("work") == []


async def test_an_empty_conversation_s_token_is_closed(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """A token with nothing behind it is given back, one with something is not."""
    await inbound.enqueue(message(1), "chat")
    (token,) = await take(inbound, link)
    assert await commit(inbound, token, None) is Verdict.MORE
    assert await inbound.held("chat") == [token]

    await link.command("DEL", keys.mailbox("test/ops"))
    assert await commit(inbound, token, None) is Verdict.DONE

    assert await inbound.held("chat") == []
    assert await link.command("XLEN", keys.ready("chat")) == 0


async def test_messages_queued_together_are_each_judged(link: Link, keys: Keys) -> None:
    """Of one call some are queued, some were before, and some do not fit; only the first leave a trace."""
    small = queue(link, keys, mailbox=2)
    dev = Room("test", "dev")
    values = [message(1), message(1), message(2), message(3), message(4), message(5, room=dev)]

    outcomes = await small.enqueue_all(values, "chat")

    assert [outcome if isinstance(outcome, bool) else type(outcome) for outcome in outcomes] == [
        *(True, False, True),
        *(QueueFull, QueueFull),
        True,
    ]
    assert [head.id for head in await heads(link, keys)] == ["m1", "m2"]
    assert await link.command("EXISTS", keys.seen(message(3).source)) == 0
    assert await link.command("HGET", keys.of("counters"), "waiting:chat") == b"3"


async def test_a_mailbox_that_is_none_refuses_its_own_messages_only(link: Link, keys: Keys) -> None:
    """Whatever else stands in a mailbox's place, other rooms are served and the event may come again."""
    await link.command("SET", keys.mailbox("test/ops"), "rubbish")
    small = queue(link, keys)

    refused, queued = await small.enqueue_all(
        [message(1), message(2, room=Room("test", "dev"))], "chat"
    )

    assert isinstance(refused, StoreRefused)
    assert queued is True
    assert await link.command("EXISTS", keys.seen(message(1).source)) == 0


async def test_a_turn_takes_as_many_as_it_gives_back(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """`most` counts what is taken beyond the conversations that end with the turn; None takes nothing."""
    for number in range(6):
        await inbound.enqueue(message(number, room=Room("test", f"r{number}")), "chat")

    _, first = await inbound.turn("chat", (), 2)
    commits = [Commit(token, head) for token, head in first]
    answers, second = await inbound.turn("chat", commits, 1)
    _, none = await inbound.turn("chat", [Commit(*second[0])], -1)
    _, rest = await inbound.turn("chat", (), 10)

    assert answers == [(Verdict.DONE, None)] * 2
    assert [head.id for _, head in [*first, *second, *rest] if head] == [f"m{n}" for n in range(6)]
    assert (len(second), none) == (3, [])
    assert await inbound.turn("chat", [Commit(*second[1])]) == ([(Verdict.DONE, None)], [])


async def test_what_is_taken_and_empty_is_given_back(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """A conversation whose messages are gone is not handed to anybody."""
    await inbound.enqueue(message(1), "chat")
    await link.command("DEL", keys.mailbox("test/ops"))

    assert await inbound.turn("chat", (), 5) == ([], [])

    assert await inbound.held("chat") == []
    assert await link.command("XLEN", keys.ready("chat")) == 0


async def test_a_commit_that_is_refused_holds_up_no_other(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """Where one reply cannot be queued nothing of its message is done, and the rest of the turn is."""
    await inbound.enqueue(message(1), "chat")
    await inbound.enqueue(message(2, room=Room("test", "dev")), "chat")
    _, [(first, head), (second, other)] = await inbound.turn("chat", (), 5)
    await link.command("SET", keys.outbox("test/bad"), "rubbish")
    replies = [Reply("m1/r/1", "test/ops", "a"), Reply("m1/r/2", "test/bad", "b")]

    (refused, done), _ = await inbound.turn(
        "chat", [Commit(first, head, replies), Commit(second, other)]
    )

    assert isinstance(refused, StoreRefused)
    assert done == (Verdict.DONE, None)
    assert [waiting.id for waiting in await heads(link, keys)] == ["m1"]
    assert await link.command("EXISTS", keys.outbox("test/ops")) == 0
    assert await inbound.held("chat") == [first]


async def test_a_turn_survives_the_loss_of_the_group(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """After a FLUSHALL each commit is an error of its own, nothing is taken, and the group can be made again."""
    await inbound.enqueue(message(1), "chat")
    _, [(token, head)] = await inbound.turn("chat", (), 5)
    await link.command("DEL", keys.ready("chat"))

    (refused,), taken = await inbound.turn("chat", [Commit(token, head)], 5)

    assert isinstance(refused, StoreRefused)
    assert taken == []
    await inbound.prepare()
    assert await commit(inbound, token, head) is Verdict.LOST


async def take_one(inbound: Inbound, *messages: Message) -> tuple[Token, Head]:
    """Queue messages and take the first conversation with its head."""
    await inbound.enqueue_all(messages, "chat")
    _, ((token, head), *_) = await inbound.turn("chat", (), 5)
    assert head is not None
    return token, head


async def waiting_replies(link: Link, keys: Keys, room: str = "test/ops") -> list[str]:
    """Return the ids of what waits in an outbox."""
    items = await link.command("LRANGE", keys.outbox(room), 0, -1)
    return [item.partition(b"|")[0].decode() for item in items]


def reply(number: int, room: str = "test/ops") -> Reply:
    """Return a reply of the first message."""
    return Reply(f"m1/r/{number}", room, f"text {number}")


async def test_replies_said_early_are_queued_once(inbound: Inbound, link: Link, keys: Keys) -> None:
    """Told again after a lost answer, or with the commit, they are not doubled; what is new follows them in order."""
    token, head = await take_one(inbound, message(1))

    first = await inbound.progress(token, head, [reply(1), reply(2)])
    progress = await inbound.progress(token, head, [reply(1), reply(2)])
    assert (first.held, progress.held) == (Held.HELD, Held.HELD)
    assert progress.said == {"m1/r/1", "m1/r/2"}
    assert await waiting_replies(link, keys) == ["m1/r/1", "m1/r/2"]
    done = await commit(inbound, token, head, [reply(number) for number in range(1, 4)])

    assert done is Verdict.DONE
    assert await waiting_replies(link, keys) == ["m1/r/1", "m1/r/2", "m1/r/3"]
    assert await link.command("HGET", keys.of("counters"), "outgoing") == b"3"
    assert await link.command("EXISTS", keys.of("said")) == 0


async def test_another_node_s_run_repeats_nothing_that_was_said(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """After a death the next node knows what was said and begun, and the dead one's late words are refused."""
    token, head = await take_one(inbound, message(1))
    await inbound.progress(token, head, [reply(1)], begun=["deploy.ship"])
    await die(link, keys, "n1:b1")
    second = queue(link, keys, "n2:b2")
    await second.reap(10)

    assert (await inbound.progress(token, head, [reply(2)])).held is Held.LOST
    progress = await second.progress(token, head, [reply(1)], begun=["deploy.ship"])
    assert progress.said == {"m1/r/1", "deploy.ship"}
    await commit(second, token, head, [reply(1), reply(2)])

    assert await waiting_replies(link, keys) == ["m1/r/1", "m1/r/2"]
    assert await leftovers(link, keys) & {"said", "detached"} == set()


async def test_what_begins_has_not_begun_before_because_it_was_asked_twice(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """Asked again under its name, as after a lost answer, a question is told what it was told; under another name, all."""
    token, head = await take_one(inbound, message(1))
    begins = partial(inbound.progress, token, head, begun=["deploy.ship", "log"])

    for _ in range(3):
        assert (await begins(request="r1")).said == frozenset()
    await inbound.progress(token, head, [reply(1)])
    again = await begins(request="r1")
    other = await begins(request="r2")

    assert again.said == {"m1/r/1"}
    assert other.said >= {"m1/r/1", "deploy.ship", "log"}


async def test_a_message_moved_aside_lets_its_conversation_go_on(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """The conversation has a new token at once, and the message is finished under the old one, however often it is told."""
    token, head = await take_one(inbound, message(1), message(2))

    for _ in range(2):
        assert (await inbound.progress(token, head, aside="test/ops#m1")).held is Held.HELD
    aside = Token("chat", token.entry, "test/ops#m1")
    (again,) = await take(queue(link, keys, "n2:b2"), link)
    assert again.conversation == "test/ops"
    assert await inbound.held("chat") == [aside]
    assert await link.command("HGET", keys.of("counters"), "waiting:chat") == b"2"
    assert await commit(inbound, aside, head, [reply(1)]) is Verdict.DONE

    assert [waiting.id for waiting in await heads(link, keys)] == ["m2"]
    assert await link.command("EXISTS", keys.of("detached"), keys.mailbox("test/ops#m1")) == 0
    assert await link.command("HGET", keys.of("counters"), "waiting:chat") == b"1"


async def test_a_message_moved_behind_others_waits_for_them(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """Where the other conversation is in somebody's hands, it is queued there and the token stays with the first."""
    token, head = await take_one(inbound, message(1), message(2), message(3))
    key = "test/ops@u1"
    assert (await inbound.progress(token, head, aside=key)).held is Held.HELD
    second = queue(link, keys, "n2:b2")
    (other,) = await take(second, link)
    (next_, _) = await heads(link, keys)

    assert (await second.progress(other, next_, aside=key)).held is Held.QUEUED
    assert (await second.progress(other, next_, aside=key)).held is Held.LOST
    assert [waiting.id for waiting in await heads(link, keys, key)] == ["m1", "m2"]
    (answer,), _ = await second.turn("chat", [Commit(other)])
    assert not isinstance(answer, StoreError)
    assert answer[1] is not None
    assert answer[1].id == "m3"


async def test_a_conversation_whose_last_message_moved_behind_others_is_given_back(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """It is said so, for there is nothing left to look at; what comes next brings a token of its own."""
    token, head = await take_one(inbound, message(1), message(2))
    key = "test/ops@u1"
    await inbound.progress(token, head, aside=key)
    (other,) = await take(inbound, link)
    (last,) = await heads(link, keys)

    assert (await inbound.progress(other, last, aside=key)).held is Held.DONE
    assert await inbound.held("chat") == [Token("chat", token.entry, key)]
    await inbound.enqueue(message(3), "chat")
    (again,) = await take(inbound, link)
    assert again.conversation == "test/ops"


async def test_a_move_that_is_refused_leaves_nothing_half_done(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """Where something else stands in the place of the other mailbox, nothing is said either; later all of it is done."""
    token, head = await take_one(inbound, message(1))
    await link.command("SET", keys.mailbox("test/ops#m1"), "rubbish")

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await inbound.progress(token, head, [reply(1)], aside="test/ops#m1")

    assert await waiting_replies(link, keys) == []
    assert [waiting.id for waiting in await heads(link, keys)] == ["m1"]
    await link.command("DEL", keys.mailbox("test/ops#m1"))
    moved = await inbound.progress(token, head, [reply(1)], aside="test/ops#m1")
    assert moved.held is Held.HELD
    assert await waiting_replies(link, keys) == ["m1/r/1"]


async def test_a_message_moved_aside_is_recovered_and_handed_back(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """Wherever the token goes, it stands for the message that was moved, and not for the conversation it came from."""
    token, head = await take_one(inbound, message(1))
    await inbound.progress(token, head, aside="test/ops#m1")
    await die(link, keys, "n1:b1")
    second = queue(link, keys, "n2:b2")
    assert await second.reap(10) == [Token("chat", token.entry, "test/ops#m1")]
    assert await second.hand_back("chat") == 1

    (again,) = await take(queue(link, keys, "n3:b3"), link)
    assert again.conversation == "test/ops#m1"
    assert await link.command("EXISTS", keys.of("detached")) == 0


async def test_tokens_of_both_lanes_may_have_one_name(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """Redis names entries by the millisecond, so it happens; what a token stands for is known all the same."""
    for lane, room in (("chat", "ops"), ("work", "dev")):
        value = message(1, room=Room("test", room))
        await link.command("RPUSH", keys.mailbox(value.conversation), mark(value))
        await link.command("XADD", keys.of(f"ready:{lane}"), "5-1", "c", value.conversation)
    _, ((token, head),) = await inbound.turn("chat", (), 1)
    assert head is not None
    await inbound.progress(token, head, aside="test/ops#m1")
    _, ((other, its_head),) = await inbound.turn("work", (), 1)
    assert (other.entry, other.conversation) == (token.entry, "test/dev")

    assert await inbound.turn("work", [Commit(other, its_head)]) == ([(Verdict.DONE, None)], [])

    assert await inbound.held("chat") == [Token("chat", "5-1", "test/ops#m1")]
    assert await link.command("HLEN", keys.of("detached")) == 1


async def test_what_is_done_later_is_scheduled_with_the_commit(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """The message leaves and its next try is due in one step; what was said is remembered for that try."""
    token, head = await take_one(inbound, message(1))
    value = message(1)
    later = Later("m1/again", 5.0, "chat", value)

    await commit(inbound, token, head, [reply(1)], later=[later], again=True)
    assert await commit(inbound, token, head, [reply(1)], later=[later], again=True) is Verdict.LOST

    seconds, micros = await link.command("TIME")
    now = int(seconds) * 1000 + int(micros) // 1000
    ((job, due),) = [await link.command("ZRANGE", keys.of("jobs"), 0, -1, "WITHSCORES")]
    assert job == b"m1/again"
    assert 4000 < int(due) - now <= 5000
    data = await link.command("HGET", keys.of("jobdata"), "m1/again")
    assert data == b"chat|8|test/opsm1|" + head.data
    assert await link.command("HGET", keys.of("said"), "m1") == b"\nm1/r/1\n"


async def test_jobs_beyond_the_limit_are_given_up_and_retries_are_not(
    inbound: Inbound, link: Link, keys: Keys
) -> None:
    """When ten thousand jobs wait, a new timer becomes a dead letter that says so; one that waits is replaced, a retry kept."""
    fill = "for i = 1, 9999 do redis.call('ZADD', KEYS[1], 1e15, 'x' .. i) end"
    await link.command("EVAL", fill, 1, keys.of("jobs"))
    token, head = await take_one(inbound, message(1))
    timers = [Later(name, 5.0, "work", Job(name, "h.m", 1.0)) for name in ("t1", "t2", "t1")]
    later = [*timers, Later("m1/again", 5.0, "chat", message(1))]

    await commit(inbound, token, head, (), later=later, again=True)

    kept = await link.command("HKEYS", keys.of("jobdata"))
    assert set(kept) == {b"t1", b"m1/again"}
    ((_, fields),) = await link.command("XRANGE", keys.of("dead"), "-", "+")
    letter = dict(zip(fields[::2], fields[1::2], strict=True))
    assert letter[b"origin"] == b"job/h.m"
    assert letter[b"data"].startswith(b"t2|{")
    assert letter[b"reason"] == b"10000 jobs are waiting already"


@pytest.mark.parametrize("name", ["ready:chat", "mailbox:test/ops"])
async def test_what_cannot_be_queued_leaves_nothing(link: Link, keys: Keys, name: str) -> None:
    """Where a key is of the wrong type, the message is refused, neither stored nor remembered, and can be queued later."""
    await link.command("SET", keys.of(name), "no such thing")

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await queue(link, keys).enqueue(message(1), "chat")

    await link.command("DEL", keys.of(name))
    assert await leftovers(link, keys) <= {name}
    assert await queue(link, keys).enqueue(message(1), "chat")


async def test_racing_nodes_handle_every_message_once_and_in_order(link: Link, keys: Keys) -> None:
    """Four nodes on twenty rooms: each message is committed once, each room in order, nothing is left."""
    rooms, each = 20, 10
    done: dict[str, list[str]] = {f"test/r{number}": [] for number in range(rooms)}
    seeder = queue(link, keys)
    await seeder.prepare()
    async with trio.open_nursery() as nursery:
        for number in range(rooms):
            nursery.start_soon(_fill, seeder, Room("test", f"r{number}"), each)

    async def work(consumer: str, scope: trio.CancelScope) -> None:
        node = queue(link, keys, consumer)
        commits: list[Commit] = []
        while sum(map(len, done.values())) < rooms * each:
            answers, taken = await node.turn("chat", commits, most=3 - len(commits))
            for finished, answer in zip(commits, answers, strict=True):
                assert not isinstance(answer, StoreError)
                assert answer == (Verdict.DONE, None)
                assert finished.head is not None
                done[finished.token.conversation].append(finished.head.id)
            assert len(taken) <= 3
            commits = [Commit(token, head, give_way=True) for token, head in taken]
        scope.cancel()

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(work, f"n{number}:b", nursery.cancel_scope)

    assert all(ids == [f"{room}/{n}" for n in range(each)] for room, ids in done.items())
    assert await link.command("HGET", keys.of("counters"), "waiting:chat") == b"0"
    assert await leftovers(link, keys) == {"counters"}


async def _fill(inbound: Inbound, room: Room, each: int) -> None:
    for number in range(each):
        name = f"{room.address}/{number}"
        await inbound.enqueue(Message(name, room, User("u"), "x", 1.0, event=name), "chat")
