"""Dead letters, on a real server: found, read, moved once, dropped and cut."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from hachat import Context, Handler, hear
from hachat.core.errors import (
    QueueFull,
    StoreRefused,
    StoreUnavailable,
    UsageError,
    WireError,
)
from hachat.core.messages import Inbound as Value
from hachat.core.messages import Job
from hachat.core.settings import QueueSettings
from hachat.core.wire import decode_inbound
from hachat.store import dead as module
from hachat.store.audit import Audit
from hachat.store.commits import Commit, Later, Verdict
from hachat.store.dead import DeadLetters
from hachat.store.embedded import Server
from hachat.store.inbound import Inbound
from hachat.store.jobs import Jobs
from hachat.store.keys import GROUP, Keys
from hachat.store.letter import Query
from hachat.store.link import Direct, Link
from hachat.store.outbound import Outbound, Report
from hachat.store.retry import retry
from hachat.store.scripts import load
from tests.bot.stage import Stage
from tests.store.letters import WHY, bury, bury_data, message, reply, webhook
from tests.store.proxy import Proxy
from tests.waiting import until

BY = "ada"
ALL = Query()


def letters_of(link: Link, keys: Keys, **limits: Any) -> DeadLetters:
    """Return the dead letters under some limits."""
    return DeadLetters(link, keys, QueueSettings(**limits))


@pytest.fixture
def letters(link: Link, keys: Keys) -> DeadLetters:
    """The dead letters under the usual limits."""
    return letters_of(link, keys)


async def found(letters: DeadLetters, most: int = 100, **query: Any) -> list[str]:
    """Return the ids of what a query means."""
    page = await letters.find(Query(**query), most)
    return [letter.id for letter in page.letters]


async def is_gone(link: Link, keys: Keys) -> bool:
    """Whether no letter is left."""
    return bool(await link.command("XLEN", keys.of("dead")) == 0)


async def dump(link: Link, keys: Keys) -> dict[bytes, Any]:
    """Return everything that is stored of a cluster."""
    names = sorted(await link.command("KEYS", keys.of("*")))
    return {name: await link.command("DUMP", name) for name in names}


# Finding


async def test_a_letter_is_read_as_it_was_written(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """All that was noted is there, with the time of Redis, and it opens to what was given up."""
    entry = await bury(link, keys, message(1))

    letter = await letters.read(entry)

    assert letter is not None
    assert (letter.entry, letter.id, letter.kind) == (entry, "m1", "message")
    assert (letter.origin, letter.reason) == ("t/ops", WHY)
    assert letter.at == int(entry.partition("-")[0]) / 1000
    assert letter.open() == message(1)


async def test_a_worker_s_letters_are_read(letters: DeadLetters, link: Link, keys: Keys) -> None:
    """What the scripts of the queues write is what is read here: a message given up, and a reply that did not fit."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings(outbox=1))
    await inbound.prepare()
    await inbound.enqueue(message(1), "chat")
    _, taken = await inbound.turn("chat", [], 1)
    ((token, head),) = taken

    await inbound.turn("chat", [Commit(token, head, [reply(1), reply(2)], give_up="no route")])

    first, second = (await letters.find(Query(oldest_first=True), 10)).letters
    assert (first.kind, first.origin, first.open()) == ("reply", "t/ops", reply(2))
    assert (second.kind, second.reason, second.open()) == ("message", "no route", message(1))


async def test_the_newest_come_first_unless_asked_otherwise(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """Both orders are to be had."""
    for number in range(3):
        await bury(link, keys, message(number))

    assert await found(letters) == ["m2", "m1", "m0"]
    assert await found(letters, oldest_first=True) == ["m0", "m1", "m2"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"kind": "message"}, ["w3", "m2", "m1"]),
        ({"kind": "reply"}, ["m2/ping/1"]),
        ({"room": "t/o*"}, ["m2/ping/1", "m1"]),
        ({"room": "hook/*"}, ["w3"]),
        ({"room": "T/ops"}, []),
        ({"why": "NODES"}, ["w3", "m2", "m1"]),
        ({"why": "full", "kind": "message"}, []),
        ({"about": "m2"}, ["m2/ping/1", "m2"]),
        ({"about": "m2/ping/1"}, ["m2/ping/1"]),
        ({"about": "m"}, []),
    ],
)
async def test_filters_choose(
    query: dict[str, Any], ids: list[str], letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """Kind, origin, reason and message each leave only their own, and all of them together."""
    await bury(link, keys, message(1))
    await bury(link, keys, message(2, "dev"))
    await bury(link, keys, webhook(3))
    await bury(link, keys, reply(2), "the outbox of the room is full")

    assert await found(letters, **query) == ids


async def test_the_age_is_a_filter(letters: DeadLetters, link: Link, keys: Keys) -> None:
    """Letters older than asked for are left out, in either order, on the first page and on the next."""
    dead = keys.of("dead")
    await link.command("XADD", dead, "1000-0", "kind", "message", "data", b"old|{}")
    await bury(link, keys, message(1))
    await bury(link, keys, message(2))

    assert await found(letters, since=60.0) == ["m2", "m1"]
    assert await found(letters, since=60.0, oldest_first=True) == ["m1", "m2"]
    assert await found(letters, since=10e9) == ["m2", "m1", "old"]
    query = Query(since=60.0, oldest_first=True)
    first = await letters.find(query, 1)
    second = await letters.find(query, 5, after=first.next)
    assert [letter.id for letter in second.letters] == ["m2"]
    before = await letters.find(query, 5, after="1000-0")
    assert [letter.id for letter in before.letters] == ["m1", "m2"]


@pytest.mark.parametrize("order", ["newest first", "oldest first"])
async def test_pages_follow_one_another(
    order: str,
    letters: DeadLetters,
    link: Link,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Going on behind the last one shows every letter once, though each search goes through few only."""
    monkeypatch.setattr(module, "PAGE", 2)
    monkeypatch.setattr(module, "SCAN", 4)
    for number in range(7):
        await bury(link, keys, message(number, "ops" if number % 2 else "dev"))
    oldest_first = order == "oldest first"
    query = Query(room="t/dev", oldest_first=oldest_first)

    seen: list[str] = []
    page = await letters.find(query, 1)
    seen += [letter.id for letter in page.letters]
    while page.next:
        page = await letters.find(query, 3, after=page.next)
        seen += [letter.id for letter in page.letters]

    assert seen == (["m0", "m2", "m4", "m6"] if oldest_first else ["m6", "m4", "m2", "m0"])


@pytest.mark.parametrize(
    "entry", ["", "m1", "12", "1-", "1-0 ", "+", "-", "(1-0", "99999999999999999999-0", "1-\u0661"]
)
async def test_what_is_no_entry_is_refused(entry: str, letters: DeadLetters) -> None:
    """A slip of the pen is told before Redis is asked anything."""
    with pytest.raises(UsageError, match="is not the id of a dead letter"):
        await letters.read(entry)
    with pytest.raises(UsageError):
        await letters.drop(entry, BY)


# Retrying


@pytest.mark.parametrize("only", [(), ("Deploy.deploy",)], ids=["all routes", "one route"])
async def test_a_message_goes_back_as_if_it_had_just_come(
    only: tuple[str, ...], letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """It waits in its mailbox, has a token and is counted; failures and deaths are forgotten.

    Routes that are not in it have ended well, and are not run again.
    """
    entry = await bury(link, keys, message(1, only=only))
    await link.command("HSET", keys.of("deaths"), "m1", 3, "m9", 1)

    assert await letters.retry(entry, BY)

    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.prepare()
    _, ((token, head),) = await inbound.turn("chat", [], 1)
    assert head is not None
    retried = decode_inbound(head.data)
    assert retried == message(1, attempt=0, only=only, at=retried.at, retried=entry)
    assert await link.command("HGET", keys.of("counters"), "waiting:chat") == b"1"
    assert await link.command("HGETALL", keys.of("deaths")) == [b"m9", b"1"]
    assert await link.command("HGET", keys.of("said"), "m1") == b"\n"
    assert await letters.count() == 0
    answers, _ = await inbound.turn("chat", [Commit(token, head)])
    assert answers == [(Verdict.DONE, None)]
    assert await link.command("EXISTS", keys.of("said")) == 0


async def test_a_letter_waits_for_the_other_part_of_its_message(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """While another route of the message is still to be tried again, there is never a second item of the same id."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.prepare()
    await inbound.enqueue(message(1), "chat")
    _, ((token, head),) = await inbound.turn("chat", [], 1)
    later = [Later("m1/again", 0.0, "chat", message(1, attempt=1, only=("Other.route",)))]
    lost = message(1, only=("Deploy.deploy",))
    commit = Commit(token, head, give_up="why", letter=lost, later=later, again=True)
    await inbound.turn("chat", [commit])
    (letter,) = (await letters.find(Query(), 10)).letters

    with pytest.raises(QueueFull, match="m1 is still to be tried again"):
        await letters.retry(letter.entry, BY)

    assert await letters.count() == 1
    jobs = Jobs(link, keys)
    await jobs.promote(10)
    _, ((token, head),) = await inbound.turn("chat", [], 1)
    with pytest.raises(QueueFull):
        await letters.retry(letter.entry, BY)
    await inbound.turn("chat", [Commit(token, head)])
    assert await letters.retry(letter.entry, BY)


async def test_two_letters_of_one_message_wait_for_each_other(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """Were both in the mailbox, a commit that is made again would finish the second, which nobody has handled."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.prepare()
    first, second = [await bury(link, keys, message(1, only=(route,))) for route in ("A.a", "B.b")]

    assert await letters.retry(first, BY)
    with pytest.raises(QueueFull, match="m1 is still to be tried again"):
        await letters.retry(second, BY)

    _, ((token, head),) = await inbound.turn("chat", [], 1)
    for _ in range(2):
        await inbound.turn("chat", [Commit(token, head)])
    assert await letters.retry(second, BY)
    assert await link.command("LLEN", keys.mailbox("t/ops")) == 1


async def test_a_retry_that_is_cancelled_lets_the_letter_go(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """What the message has said is forgotten with its next try."""
    entry = await bury(link, keys, message(1))
    await link.command("HSET", keys.of("said"), "m1", "\nm1/Deploy.deploy/1\n")
    jobs = Jobs(link, keys)
    await jobs.schedule(Later("m1/again", 60.0, "chat", message(1)))

    assert await jobs.cancel("m1/again")

    assert await link.command("EXISTS", keys.of("said")) == 0
    assert await letters.retry(entry, BY)


@pytest.mark.parametrize("value", [message(1), webhook(1)])
async def test_what_is_retried_is_not_too_old_to_be_answered(
    value: Value, letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """However long its letter has lain there, it is of now; else it would be refused for its age once more."""
    entry = await bury(link, keys, value)

    await letters.retry(entry, BY)

    (item,) = await link.command("LRANGE", keys.mailbox(value.conversation), 0, -1)
    seconds, _ = await link.command("TIME")
    assert decode_inbound(item.partition(b"|")[2]).at == pytest.approx(int(seconds), abs=2)


class Counter(Handler):
    """Says how often it was run."""

    runs = 0

    @hear("text", age=None)
    async def count(self, ctx: Context) -> None:
        """Count."""
        self.runs += 1
        ctx.reply(f"run {self.runs}")


async def test_what_a_retried_message_says_is_not_taken_for_what_it_said_before(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """While a reply of its first life waits, one of the second is another; a report that is repeated pops only its own."""
    queue, robot = Inbound(link, keys, "n1:b1", letters.limits), Stage(Counter()).robot
    await queue.prepare()
    await queue.enqueue(message(1, only=(), attempt=0), "chat")
    for give_up in ("it failed", ""):
        _, ((token, head),) = await queue.turn("chat", [], 1)
        assert head is not None
        replies = await robot.handle(decode_inbound(head.data))
        await queue.turn("chat", [Commit(token, head, replies, give_up=give_up)])
        for letter in (await letters.find(Query(), 10)).letters:
            await letters.retry(letter.entry, BY)
    first, second = await link.command("LRANGE", keys.outbox("t/ops"), 0, -1)
    assert first.partition(b"|")[0] != second.partition(b"|")[0]

    await link.command("SET", keys.of("lease"), "n1/b1/0.1")
    outbound = Outbound(link, keys, "n1/b1/0.1")
    (due,), _ = await outbound.turn([], 1)
    for _ in range(2):  # the answer to the first was lost
        await outbound.turn([Report(due)], 1)

    assert await link.command("LRANGE", keys.outbox("t/ops"), 0, -1) == [second]


@pytest.mark.parametrize("value", [webhook(1), Job("j1", "Deploy.nightly", 1.0, attempt=4)])
async def test_work_goes_back_to_its_own_lane(
    value: Value, letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """Webhooks and jobs never come before a person."""
    entry = await bury(link, keys, value)

    assert await letters.retry(entry, BY)

    (item,) = await link.command("LRANGE", keys.mailbox(value.conversation), 0, -1)
    retried = decode_inbound(item.partition(b"|")[2])
    assert (retried.id, retried.attempt) == (value.id, 0)
    assert (retried.at == value.at) == isinstance(value, Job)  # that is when it was meant to be
    assert await link.command("XLEN", keys.ready("work")) == 1
    assert await link.command("HGET", keys.of("counters"), "waiting:work") == b"1"


async def test_a_message_goes_behind_those_that_wait(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """A conversation that has its token gets no second one."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.enqueue(message(1), "chat")
    entry = await bury(link, keys, message(2))

    assert await letters.retry(entry, BY)

    items = await link.command("LRANGE", keys.mailbox("t/ops"), 0, -1)
    assert [item.partition(b"|")[0] for item in items] == [b"m1", b"m2"]
    assert await link.command("XLEN", keys.ready("chat")) == 1


async def test_a_reply_goes_back_and_the_master_hears_of_it(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """It waits in its outbox, its room is due, it is counted, and the bell has rung; the master can send it."""
    entry = await bury(link, keys, reply(1))

    assert await letters.retry(entry, BY)

    assert await link.command("LLEN", keys.of("bell")) == 1
    assert await link.command("HGET", keys.of("counters"), "outgoing") == b"1"
    await link.command("SET", keys.of("lease"), "n1/b1/0.1")
    outbound = Outbound(link, keys, "n1/b1/0.1")
    (due,), _ = await outbound.turn([], 10)
    assert (due.room, due.id, due.in_doubt) == ("t/ops", "m1/ping/1", False)
    await outbound.turn([Report(due)], 0)
    assert await link.command("HGET", keys.of("counters"), "outgoing") == b"0"


async def test_a_reply_does_not_hurry_a_room_that_must_wait(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """A room that is deferred stays so, and the bell that has rung is not rung again."""
    await link.command("RPUSH", keys.outbox("t/ops"), b"x|{}")
    await link.command("ZADD", keys.of("outready"), 9e15, "t/ops")
    await link.command("RPUSH", keys.of("bell"), "1")
    entry = await bury(link, keys, reply(1))

    assert await letters.retry(entry, BY)

    assert float(await link.command("ZSCORE", keys.of("outready"), "t/ops")) == 9e15
    assert await link.command("LLEN", keys.of("bell")) == 1
    assert await link.command("LLEN", keys.outbox("t/ops")) == 2


@pytest.mark.parametrize("value", [message(1), webhook(1), reply(1)], ids=["m", "w", "r"])
async def test_a_letter_moves_once(
    value: Any, letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """Of many who retry it at the same time one moves it, and everybody afterwards finds it gone."""
    entry = await bury(link, keys, value)
    moved: list[bool] = []

    async def move() -> None:
        moved.append(await letters.retry(entry, BY))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(move)
    after = await dump(link, keys)

    assert sorted(moved) == [False] * 9 + [True]
    assert not await letters.retry(entry, BY)
    assert not await letters.drop(entry, BY)
    assert await letters.read(entry) is None
    assert await dump(link, keys) == after


@pytest.mark.parametrize("value", [message(1), reply(1)], ids=["m", "r"])
async def test_a_lost_answer_moves_nothing_twice(
    value: Any, server: Server, link: Link, keys: Keys, nursery: trio.Nursery
) -> None:
    """Whoever hears nothing asks again, finds the letter gone, and one copy waits where it belongs."""
    entry = await bury(link, keys, value)
    proxy = Proxy(server.port)
    await nursery.start(proxy.run)
    far = Link(Direct(proxy.url), timeout=0.3)
    await nursery.start(far.run)
    letters = letters_of(far, keys)
    letter = await letters.read(entry)
    assert letter is not None
    move = letters._resend if letter.kind == "reply" else letters._requeue
    for name in (
        "dead_requeue",
        "dead_resend",
    ):  # else the answer lost would be that it is not known
        await link.command("SCRIPT", "LOAD", load(name).text)

    proxy.swallow_replies = True
    with pytest.raises(StoreUnavailable):
        await move(letter, value, BY)
    await until(lambda: is_gone(link, keys))
    proxy.swallow_replies = False
    proxy.cut()

    assert not await retry(partial(letters.retry, entry, BY))
    box = keys.outbox("t/ops") if letter.kind == "reply" else keys.mailbox("t/ops")
    assert await link.command("LLEN", box) == 1
    assert await link.command("XLEN", keys.of("audit")) == 1


@pytest.mark.parametrize(
    ("value", "limits", "words"),
    [
        (message(1), {"depth": 1}, "1 messages are waiting in lane chat"),
        (message(1), {"mailbox": 1}, "1 messages are waiting in t/ops"),
        (reply(1), {"outbox": 1}, "1 replies are waiting in t/ops"),
    ],
)
async def test_what_is_full_takes_no_letter(
    value: Any, limits: dict[str, int], words: str, link: Link, keys: Keys
) -> None:
    """Lane, mailbox and outbox keep their limits; the letter stays, and nothing has changed."""
    await Inbound(link, keys, "n1:b1", QueueSettings()).enqueue(message(9), "chat")
    await link.command("RPUSH", keys.outbox("t/ops"), b"x|{}")
    entry = await bury(link, keys, value)
    before = await dump(link, keys)

    with pytest.raises(QueueFull, match=words):
        await letters_of(link, keys, **limits).retry(entry, BY)

    assert await dump(link, keys) == before


@pytest.mark.parametrize(
    ("rubbish", "words"),
    [
        (("message", b"m1|rubbish"), "not an envelope"),
        (("message", b"rubbish"), "no id stands in front"),
        (("message", b""), "no id stands in front"),
        (("reply", b"m1|\xff\x00"), "not an envelope"),
        (("reply", b'm1|{"id":"m1","room":"r","v":99}'), "schema 99 is newer"),
        (("message", b"m1|" + b"[" * 100_000), "not an envelope"),
        (("", b"m1|{}"), "neither message nor reply"),
        (("letter", b"m1|{}"), "neither message nor reply"),
    ],
)
async def test_rubbish_is_refused_with_its_reason(
    rubbish: tuple[str, bytes], words: str, letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """What cannot be read stays where it is and says why; it can be dropped."""
    entry = await bury_data(link, keys, *rubbish)
    before = await dump(link, keys)

    with pytest.raises(WireError, match=words):
        await letters.retry(entry, BY)

    assert await dump(link, keys) == before
    assert await letters.drop(entry, BY)


async def test_a_stream_of_strange_entries_can_be_listed(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """Entries without our fields, or with bytes that are no text, hide none of the others."""
    dead = keys.of("dead")
    await link.command("XADD", dead, "*", "what", "ever")
    await link.command("XADD", dead, "*", b"\xff", b"\xfe", "origin", b"\xff\x1b", "kind", "reply")
    await bury(link, keys, message(1))

    page = await letters.find(ALL, 10)

    assert [(letter.id, letter.kind, letter.origin) for letter in page.letters] == [
        ("m1", "message", "t/ops"),
        ("", "reply", "\\xff\x1b"),
        ("", "", ""),
    ]


@pytest.mark.parametrize("name", ["mailbox:t/ops", "ready:chat", "counters"])
async def test_a_key_of_another_type_leaves_the_letter(
    name: str, letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """Where Redis says no, nothing has happened."""
    entry = await bury(link, keys, message(1))
    await link.command("SET", keys.of(name), "rubbish")
    before = await dump(link, keys)

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await letters.retry(entry, BY)

    assert await dump(link, keys) == before


@pytest.mark.parametrize("name", ["outbox:t/ops", "outready", "counters", "bell"])
async def test_a_key_of_another_type_leaves_the_reply(
    name: str, letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """Where Redis says no to a reply, nothing has happened either."""
    entry = await bury(link, keys, reply(1))
    await link.command("SET", keys.of(name), "rubbish")
    before = await dump(link, keys)

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await letters.retry(entry, BY)

    assert await dump(link, keys) == before


@pytest.mark.parametrize("value", [message(1), reply(1)], ids=["m", "r"])
async def test_redis_without_memory_leaves_the_letter(
    value: Any, own_server: Server, keys: Keys, nursery: trio.Nursery
) -> None:
    """A retry that Redis has no room for is refused whole; to drop a letter needs no room."""
    link = Link(Direct(own_server.url))
    await nursery.start(link.run)
    letters = letters_of(link, keys)
    entry = await bury(link, keys, value)
    before = await dump(link, keys)
    await link.command("CONFIG", "SET", "maxmemory", 1)

    with pytest.raises(StoreRefused):
        await letters.retry(entry, BY)
    assert await dump(link, keys) == before

    assert await letters.drop(entry, BY)
    assert await letters.count() == 0


# Dropping, counting, cutting


async def test_a_letter_is_dropped_once(letters: DeadLetters, link: Link, keys: Keys) -> None:
    """What is dropped is gone and goes nowhere, and the others stay."""
    entry = await bury(link, keys, message(1))
    await bury(link, keys, message(2))

    assert await letters.drop(entry, BY)
    assert not await letters.drop(entry, BY)

    assert await found(letters) == ["m2"]
    assert await letters.count() == 1
    assert await link.command("EXISTS", keys.mailbox("t/ops"), keys.of("counters")) == 0


async def test_who_did_what_is_noted(letters: DeadLetters, link: Link, keys: Keys) -> None:
    """Each letter that was moved or dropped leaves one note in the audit trail."""
    first = await bury(link, keys, message(1))
    second = await bury(link, keys, reply(2))
    third = await bury(link, keys, message(3, "dev"))
    await letters.retry(first, "ada")
    await letters.retry(first, "ada")
    await letters.retry(second, "bob")
    await letters.drop(third, "cy")

    deeds = await Audit(link, keys).read_new()

    assert [
        tuple(deed.facts[name] for name in ("did", "by", "letter", "kind", "id", "origin"))
        for deed in deeds
    ] == [
        ("retried", "ada", first, "message", "m1", "t/ops"),
        ("retried", "bob", second, "reply", "m2/ping/1", "t/ops"),
        ("dropped", "cy", third, "message", "m3", "t/dev"),
    ]


async def test_only_what_is_beyond_the_limit_is_cut(link: Link, keys: Keys) -> None:
    """The oldest go, the newest stay, and each that went is counted."""
    for number in range(5):
        await bury(link, keys, message(number))

    assert await letters_of(link, keys, dead=5).trim() == 0
    assert await letters_of(link, keys, dead=3).trim() == 2
    assert await letters_of(link, keys, dead=3).trim() == 0
    assert await letters_of(link, keys, dead=2).trim() == 1

    assert await found(letters_of(link, keys)) == ["m4", "m3"]
    assert await link.command("HGET", keys.of("counters"), "dead_cut") == b"3"


async def test_much_is_cut_little_by_little(
    link: Link, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are too many, one call keeps Redis busy with a part of them only."""
    monkeypatch.setattr(module, "CUT", 2)
    for number in range(6):
        await bury(link, keys, message(number))
    letters = letters_of(link, keys, dead=1)

    assert [await letters.trim() for _ in range(4)] == [2, 2, 1, 0]


async def test_a_count_that_cannot_be_kept_keeps_the_letters(link: Link, keys: Keys) -> None:
    """Nothing is cut without being counted."""
    for number in range(3):
        await bury(link, keys, message(number))
    await link.command("SET", keys.of("counters"), "rubbish")

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await letters_of(link, keys, dead=1).trim()

    assert await letters_of(link, keys).count() == 3


async def test_the_group_of_workers_finds_a_retried_message(
    letters: DeadLetters, link: Link, keys: Keys
) -> None:
    """Workers that wait already hear of it as they hear of a new one."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.prepare()
    entry = await bury(link, keys, message(1))

    async with link.reader(5) as reader:
        await letters.retry(entry, BY)
        (token,) = await inbound.read(reader, "chat", 1)

    assert token.conversation == "t/ops"
    pending = await link.command("XPENDING", keys.ready("chat"), GROUP)
    assert pending[0] == 1
