"""What became of a message, on a real server: noted by the scripts, found by its id."""

from __future__ import annotations

import itertools

import pytest

from hachat.core.messages import Message, Reply
from hachat.core.settings import QueueSettings
from hachat.core.wire import encode
from hachat.store import trail as module
from hachat.store.commits import Head, Held, Token
from hachat.store.dead import DeadLetters
from hachat.store.inbound import DEATHS, Inbound
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.outbound import Outbound, Outcome, Report
from hachat.store.trail import Place, Step, Trace, trace
from tests.store.letters import bury, message, reply, webhook

_terms = itertools.count(1)


def what(found: Trace) -> list[tuple[str, str, str]]:
    """Return the steps without their times."""
    return [(step.what, step.id, step.note) for step in found.steps]


async def note(link: Link, keys: Keys, *fields: str | bytes) -> None:
    """Write an entry of the trail, as a script does."""
    await link.command("XADD", keys.of("trail"), "*", *fields)


async def put(link: Link, keys: Keys, *replies: Reply) -> None:
    """Put replies into their outboxes, as a commit does."""
    for one in replies:
        await link.command("RPUSH", keys.outbox(one.room), one.id.encode() + b"|" + encode(one))
        await link.command("ZADD", keys.of("outready"), "NX", 1, one.room)


async def send(link: Link, keys: Keys, outcome: Outcome, reason: str = "") -> None:
    """Let the master have tried to send one reply of each room that is due."""
    token = f"n1/b1/0.{next(_terms)}"
    await link.command("SET", keys.of("lease"), token)
    outbound = Outbound(link, keys, token)
    taken, _ = await outbound.turn([], 10)
    await outbound.turn([Report(due, outcome, 60.0, reason) for due in taken], 0)


async def test_what_is_queued_is_noted_once_for_all(link: Link, keys: Keys) -> None:
    """One call is one entry, whatever it queues; what was refused or known before is not in it."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings(mailbox=2))
    some = [message(1), message(2), message(1), message(3), message(4, "dev")]

    await inbound.enqueue_all(some, "chat")
    await inbound.enqueue_all(some[:1], "chat")

    assert await link.command("XLEN", keys.of("trail")) == 1
    found = [await trace(link, keys, f"m{number}") for number in range(1, 5)]
    assert [what(one) for one in found] == [
        [("in", "m1", "t/ops")],
        [("in", "m2", "t/ops")],
        [],
        [("in", "m4", "t/dev")],
    ]
    assert found[0].steps[0].by == "chat"
    assert found[0].steps[0].at == found[0].kept_since


@pytest.mark.parametrize("outcome", ["sent", "dead", "doubt"])
async def test_what_became_of_replies_is_noted_once_for_all(
    outcome: Outcome, link: Link, keys: Keys
) -> None:
    """A turn of the master is one entry, with the reason of each reply, on one line."""
    await put(link, keys, reply(1), reply(2, "t/dev"))

    await send(link, keys, outcome, "the service\nsaid no")

    assert await link.command("XLEN", keys.of("trail")) == 1
    for number in (1, 2):
        found = await trace(link, keys, f"m{number}")
        assert what(found) == [(outcome, f"m{number}/ping/1", "the service said no")]


async def begin(link: Link, keys: Keys, *messages: Message) -> tuple[Inbound, Token, Head]:
    """Queue messages of one conversation and take it; the trail begins after that."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings(outbox=2))
    await inbound.prepare()
    await inbound.enqueue_all(messages, "chat")
    _, ((token, head),) = await inbound.turn("chat", [], 1)
    assert head is not None
    await link.command("DEL", keys.of("trail"))
    return inbound, token, head


async def test_what_is_said_early_is_noted_once_for_all(link: Link, keys: Keys) -> None:
    """One call is one entry, with where each reply waits, or that there was no room for it; a repeated call is none."""
    inbound, token, head = await begin(link, keys, message(1))
    replies = [Reply(f"m1/ping/{number}", "t/ops", "part") for number in range(1, 4)]

    await inbound.progress(token, head, begun=["ping"])
    assert await link.command("EXISTS", keys.of("trail")) == 0
    for _ in range(2):
        await inbound.progress(token, head, replies)

    assert await link.command("XLEN", keys.of("trail")) == 1
    found = await trace(link, keys, "m1")
    assert what(found) == [
        ("reply", "m1/ping/1", "t/ops"),
        ("reply", "m1/ping/2", "t/ops"),
        ("dead", "m1/ping/3", "the outbox of the room is full"),
    ]
    assert {step.by for step in found.steps} == {"n1:b1"}


async def test_a_message_that_stands_aside_is_noted(link: Link, keys: Keys) -> None:
    """Whether it is alone there or behind others, where it is now is in the trail, once, and it is found there."""
    inbound, token, head = await begin(link, keys, message(1), message(2), message(3))
    for _ in range(2):
        await inbound.progress(token, head, [reply(1)], aside="t/ops@u1")

    assert await link.command("XLEN", keys.of("trail")) == 1
    found = await trace(link, keys, "m1")
    assert what(found) == [("reply", "m1/ping/1", "t/ops"), ("aside", "m1", "t/ops@u1")]
    assert Place("mailbox", "t/ops@u1", 1, 1) in found.waiting

    _, ((other, its_head),) = await inbound.turn("chat", [], 1)
    assert its_head is not None
    for _ in range(2):
        await inbound.progress(other, its_head, aside="t/ops@u1")

    found = await trace(link, keys, "m2")
    assert what(found)[-1:] == [("aside", "m2", "t/ops@u1")]
    assert [step.what for step in found.steps].count("aside") == 1
    assert Place("mailbox", "t/ops@u1", 2, 2) in found.waiting


async def test_what_nodes_died_with_is_noted_once_for_all(link: Link, keys: Keys) -> None:
    """The third death of several messages is one entry, by whoever took over; a take-over alone is none."""
    inbound, *_ = await begin(link, keys, message(1), message(2))
    await inbound.enqueue(message(3, "dev"), "chat")
    await inbound.turn("chat", [], 1)
    await link.command("DEL", keys.of("trail"))

    for death in range(DEATHS):
        assert await link.command("EXISTS", keys.of("trail")) == 0
        await link.command("ZADD", keys.of("nodes"), 1, f"n{death + 1}:b1")
        reaper = Inbound(link, keys, f"n{death + 2}:b1", QueueSettings())
        await reaper.reap(10)

    assert await link.command("XLEN", keys.of("trail")) == 1
    for number in (1, 3):
        found = await trace(link, keys, f"m{number}")
        assert what(found) == [("dead", f"m{number}", "3 nodes died while handling it")]
        assert found.steps[0].by == f"n{DEATHS + 1}:b1"


async def test_a_deferral_is_no_step(link: Link, keys: Keys) -> None:
    """A room that waits for minutes must not push everything else out of the trail."""
    await put(link, keys, reply(1))

    await send(link, keys, "defer", "slow down")

    assert await link.command("XLEN", keys.of("trail")) == 0


async def test_a_repeated_report_is_no_step(link: Link, keys: Keys) -> None:
    """What was reported before is not noted again."""
    await put(link, keys, reply(1))
    token = f"n1/b1/0.{next(_terms)}"
    await link.command("SET", keys.of("lease"), token)
    outbound = Outbound(link, keys, token)
    ((due), *_), _ = await outbound.turn([], 10)

    for _ in range(3):
        await outbound.turn([Report(due)], 0)

    assert await link.command("XLEN", keys.of("trail")) == 1


async def test_a_trail_that_cannot_be_written_stops_nobody(link: Link, keys: Keys) -> None:
    """Messages are queued and replies leave, whatever stands where the notes should."""
    for name in ("trail", "deferred"):
        await link.command("SET", keys.of(name), "rubbish")
    await put(link, keys, reply(1), reply(2, "t/dev"))

    assert await Inbound(link, keys, "n1:b1", QueueSettings()).enqueue(message(1), "chat")
    await send(link, keys, "defer", "slow down")
    await link.command("ZADD", keys.of("outready"), "XX", 1, "t/ops", 1, "t/dev")
    await send(link, keys, "sent")

    assert await link.command("LLEN", keys.mailbox("t/ops")) == 1
    assert await link.command("EXISTS", keys.outbox("t/ops"), keys.outbox("t/dev")) == 0


async def test_nor_does_it_stop_what_is_slow_or_deadly(link: Link, keys: Keys) -> None:
    """A message is spoken about and moved aside, and given up after the third death, all the same."""
    inbound, token, head = await begin(link, keys, message(1))
    await link.command("SET", keys.of("trail"), "rubbish")

    moved = await inbound.progress(token, head, [reply(1)], aside="t/ops#m1")
    for death in range(DEATHS):
        await link.command("ZADD", keys.of("nodes"), 1, f"n{death + 1}:b1")
        await Inbound(link, keys, f"n{death + 2}:b1", QueueSettings()).reap(10)

    assert moved.held is Held.HELD
    assert await link.command("LLEN", keys.outbox("t/ops")) == 1
    assert await link.command("XLEN", keys.of("dead")) == 1
    assert await link.command("EXISTS", keys.mailbox("t/ops#m1")) == 0


async def test_the_whole_way_is_told_in_order(link: Link, keys: Keys) -> None:
    """Everything that names the message or one of its replies, oldest first, with who did it."""
    await note(link, keys, "lane", "chat", "in", "m1\tt/ops\nm10\tt/ops")
    await note(link, keys, "node", "n1:b1", "taken", "m1\nm2")
    await note(
        link, keys, "node", "n1:b1", "finished", "m2\nm1", "reply", "m1/ping/1\tt/ops\nm2/x/1\tt/x"
    )
    await note(link, keys, "sent", "m1/ping/1\t")

    found = await trace(link, keys, "m1")
    alone = await trace(link, keys, "m1/ping/1")

    assert [(step.what, step.id, step.note, step.by) for step in found.steps] == [
        ("in", "m1", "t/ops", "chat"),
        ("taken", "m1", "", "n1:b1"),
        ("finished", "m1", "", "n1:b1"),
        ("reply", "m1/ping/1", "t/ops", "n1:b1"),
        ("sent", "m1/ping/1", "", ""),
    ]
    assert [step.what for step in alone.steps] == ["reply", "sent"]
    assert (found.waiting, found.letters) == ([], [])


async def test_it_says_where_a_message_waits(link: Link, keys: Keys) -> None:
    """A message that was queued is found in its mailbox, with its place in the row."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.enqueue_all([message(number) for number in range(1, 80)], "chat")
    await inbound.enqueue(webhook(1), "work")

    assert (await trace(link, keys, "m1")).waiting == [Place("mailbox", "t/ops", 1, 79)]
    assert (await trace(link, keys, "m70")).waiting == [Place("mailbox", "t/ops", 70, 79)]
    (place,) = (await trace(link, keys, "w1")).waiting
    assert place == Place("mailbox", webhook(1).conversation, 1, 1)


async def test_it_says_where_a_reply_waits(link: Link, keys: Keys) -> None:
    """A reply is found in the outbox it was put into, or in that of the message's room."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.enqueue(message(1), "chat")
    await put(link, keys, reply(9), reply(1), reply(2, "t/dev"))
    await note(link, keys, "reply", "m2/ping/1\tt/dev")

    assert Place("outbox", "t/ops", 2, 2) in (await trace(link, keys, "m1")).waiting
    assert (await trace(link, keys, "m2")).waiting == [Place("outbox", "t/dev", 1, 1)]


async def test_what_waits_too_far_back_is_not_looked_for(
    link: Link, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a mailbox is, the search has an end."""
    monkeypatch.setattr(module, "DEPTH", 50)
    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.enqueue_all([message(number) for number in range(1, 61)], "chat")

    assert (await trace(link, keys, "m50")).waiting == [Place("mailbox", "t/ops", 50, 60)]
    assert (await trace(link, keys, "m60")).waiting == []


async def test_dead_letters_are_part_of_it(link: Link, keys: Keys) -> None:
    """A message that was given up is told of, even where the trail does not reach back so far."""
    entry = await bury(link, keys, message(1))
    second = await bury(link, keys, reply(1))
    await bury(link, keys, message(11))

    found = await trace(link, keys, "m1")

    assert [letter.entry for letter in found.letters] == [entry, second]
    assert (found.steps, found.kept_since) == ([], None)


async def test_a_letter_s_later_life_is_told(link: Link, keys: Keys) -> None:
    """Who retried and who dropped it stands in the trail, and where it waits since."""
    letters = DeadLetters(link, keys, QueueSettings())
    await letters.retry(await bury(link, keys, message(1)), "ada")
    await letters.retry(await bury(link, keys, reply(1)), "bob")
    await letters.drop(await bury(link, keys, reply(1)), "cy")

    found = await trace(link, keys, "m1")

    assert [(step.what, step.id, step.by) for step in found.steps] == [
        ("retried", "m1", "ada"),
        ("retried", "m1/ping/1", "bob"),
        ("dropped", "m1/ping/1", "cy"),
    ]
    assert found.waiting == [
        Place("mailbox", "t/ops", 1, 1),
        Place("outbox", "t/ops", 1, 1),
    ]


async def test_a_long_trail_is_looked_through_in_parts(
    link: Link, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message is found behind any number of others, until the search has gone far enough."""
    monkeypatch.setattr(module, "PAGE", 3)
    monkeypatch.setattr(module, "PAGES", 4)
    for number in range(12):
        await note(link, keys, "sent", f"m{number}/ping/1")

    assert [step.id for step in (await trace(link, keys, "m1")).steps] == ["m1/ping/1"]
    await note(link, keys, "sent", "m99")
    await note(link, keys, "sent", "m98")
    assert (await trace(link, keys, "m1")).steps == []


async def test_what_came_more_than_once_is_told_from_its_first_coming(
    link: Link, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other tries come in anew, and a retried letter may; each is told of, however much lies between them."""
    monkeypatch.setattr(module, "PAGE", 3)
    for step in ("in", "in", "dead", "retried", "in", "finished"):
        await note(link, keys, step, "m1\tt/ops")
        for number in range(7):
            await note(link, keys, "sent", f"m9{number}/ping/1")

    found = await trace(link, keys, "m1")

    assert [step.what for step in found.steps] == ["in", "in", "dead", "retried", "in", "finished"]
    assert found.kept_since == found.steps[0].at


@pytest.mark.parametrize(
    "fields",
    [
        ("in", b"\xff\tx\nm1\t\xfe\x1b"),
        ("\xff\xfe", "m1"),
        ("", "m1"),
        ("in", "\n\n\t\t\nm1\t\t\t"),
        ("node", "m1", "by", "m1", "lane", "m1"),
    ],
)
async def test_rubbish_in_the_trail_hurts_nobody(
    fields: tuple[str | bytes, ...], link: Link, keys: Keys
) -> None:
    """Whatever somebody wrote there, what is known of a message is told."""
    await note(link, keys, "in", "m1\tt/ops")
    await note(link, keys, *fields)
    await link.command("SET", keys.mailbox("t/ops"), "rubbish")

    found = await trace(link, keys, "m1")

    assert (found.steps[0].what, found.steps[0].note, found.waiting) == ("in", "t/ops", []) or (
        found.steps[-1].what == "in"
    )


@pytest.mark.parametrize("id_", ["", "nobody", "m1\nm2", "%", "\x1b"])
async def test_an_unknown_message_has_no_way(id_: str, link: Link, keys: Keys) -> None:
    """Nothing is known of an id that nothing has."""
    await note(link, keys, "in", "m1\tt/ops\nm2\tt/ops")

    found = await trace(link, keys, id_)

    assert (found.steps, found.waiting, found.letters) == ([], [], [])


async def test_looking_changes_nothing(link: Link, keys: Keys) -> None:
    """A question leaves no key behind."""
    await trace(link, keys, "m1")

    assert await link.command("KEYS", keys.of("*")) == []


async def test_a_step_is_the_one_of_its_time(link: Link, keys: Keys) -> None:
    """Times are those of Redis, in seconds."""
    await link.command("XADD", keys.of("trail"), "1500-0", "in", "m1\tt/ops")

    assert (await trace(link, keys, "m1")).steps == [Step(1.5, "in", "m1", "t/ops")]
