"""Questions on a real server: opened and closed with the messages they belong to, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from secrets import token_hex
from typing import Any

import msgspec
import pytest
import structlog

from hachat.core.errors import NewerSchema, StoreError, StoreRefused, WireError
from hachat.core.messages import Dialog, Job, Message, Reply, Room, User
from hachat.core.settings import QueueSettings
from hachat.core.wire import MAX_ENVELOPE, VERSION, decode_inbound
from hachat.store.commits import Commit, Committed, Head, Later, Token, Verdict
from hachat.store.dialogs import EXPIRY, Closing, Dialogs, Question, make_expiry, write_question
from hachat.store.embedded import Server
from hachat.store.inbound import Inbound
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.trail import trace
from tests.store.instant import InstantLink
from tests.store.mutations import Mutation

ROOM = Room("test", "ops")
REPLY = Reply("m1/h.ask/1", "test/ops", "Which?")


def message(number: int, user: str = "u1") -> Message:
    """Return a message whose id is its number."""
    return Message(f"m{number}", ROOM, User(user), f"text {number}", 1.0, event=f"e{number}")


def question(number: int = 1, **fields: Any) -> Question:
    """Return a question about a message."""
    id_ = f"m{number}/h.ask/1"
    about = msgspec.structs.replace(message(number), id=id_, dialog=Dialog(f"m{number}", 1), v=4)
    return Question(id_, about, **{"user": "u1", "seconds": 60.0, **fields})


class Stage:
    """A node with the conversation of the room in hand."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self.queue = Inbound(link, keys, "n1:b1", QueueSettings())
        self.dialogs = Dialogs(link, keys)
        self.token: Token | None = None
        self.head: Head | None = None
        self.last: Commit | None = None
        self._link = link
        self._keys = keys

    async def hear(self, *messages: Message) -> None:
        """Queue messages, and take what is ready."""
        for one in messages:
            assert await self.queue.enqueue(one, "chat")
        if self.head is None:
            _, ((self.token, self.head),) = await self.queue.turn("chat", [], 1)

    async def commit(self, replies: Sequence[Reply] = (), **options: Any) -> Verdict:
        """Finish the head, and go on with the next."""
        assert self.token is not None
        self.last = Commit(self.token, self.head, replies, **options)
        return await self.repeat()

    async def repeat(self) -> Verdict:
        """Do the last turn, perhaps again."""
        assert self.last is not None
        (answer,), _ = await self.queue.turn("chat", [self.last])
        assert not isinstance(answer, StoreError)
        verdict, self.head = answer
        return verdict

    async def count(self, command: str, name: str, *arguments: str) -> Any:
        """Return what a command says about a key, such as how much stands in it."""
        return await self._link.command(command, self._keys.of(name), *arguments)

    async def waiting(self) -> int:
        """Return how many messages wait by the counters."""
        return int(await self._link.command("HGET", self._keys.of("counters"), "waiting:chat"))


@pytest.fixture
async def stage(link: Link, keys: Keys) -> Stage:
    """A node."""
    made = Stage(link, keys)
    await made.queue.prepare()
    return made


async def ask(stage: Stage, asked: Question) -> None:
    """Have a question about message 1 opened, and message 2 said."""
    await stage.hear(message(1))
    assert stage.head is not None
    assert not stage.head.asked
    expiry = Later(asked.expiry, asked.seconds, "work", make_expiry(asked, 61.0))
    assert await stage.commit([REPLY], opens=[asked], later=[expiry]) is Verdict.DONE
    await stage.hear(message(2))


def close(asked: Question, *, answered: bool = True) -> dict[str, Any]:
    """Return what closes a question with message 2."""
    closing = Closing(asked, asked.answer("yes", message(2)) if answered else None)
    return {"closes": closing, "later": [Later(asked.expiry, 0.0, "work")]}


async def test_a_question_is_open_from_the_moment_it_is_queued(stage: Stage) -> None:
    """Whoever takes a message then is told that it may be an answer, and finds the question."""
    asked = question()
    await ask(stage, asked)

    assert stage.head is not None
    assert stage.head.asked
    assert await stage.dialogs.find(message(2)) == [asked]
    assert await stage.dialogs.find(message(2, user="u2")) == []
    assert await stage.count("ZCARD", "jobs") == 1


async def test_the_answer_is_replaced_by_what_was_asked_about(stage: Stage) -> None:
    """At the head of the mailbox, before what was said next, and counted as one message."""
    asked = question()
    await ask(stage, asked)
    await stage.hear(message(3))

    assert await stage.commit(**close(asked)) is Verdict.MORE

    assert stage.head is not None
    assert stage.head.id == asked.id
    again = decode_inbound(stage.head.data)
    assert isinstance(again, Message)
    assert again.dialog is not None
    assert [(one.text, one.user.id) for one in again.dialog.responses] == [("yes", "u1")]
    assert (again.event, again.dialog.cause) == ("e2", "m2")
    assert not stage.head.asked
    assert await stage.waiting() == 2
    assert await stage.count("ZCARD", "jobs") == 0
    assert await stage.commit() is Verdict.MORE
    assert stage.head is not None
    assert stage.head.id == "m3"


async def test_a_repeated_turn_takes_no_answer_twice(stage: Stage) -> None:
    """Where the answer of Redis was lost, the head is found to be another one."""
    asked = question()
    await ask(stage, asked)
    await stage.commit(**close(asked))

    assert await stage.repeat() is Verdict.GONE
    assert stage.head is not None
    assert stage.head.id == asked.id
    assert await stage.waiting() == 1


async def test_the_conversation_may_go_to_another_node_with_the_answer(stage: Stage) -> None:
    """A node that leaves passes on what it has made of the answer."""
    asked = question()
    await ask(stage, asked)

    assert await stage.commit(give_way=True, **close(asked)) is Verdict.DONE

    await stage.hear()
    assert stage.head is not None
    assert stage.head.id == asked.id


async def test_a_question_can_be_closed_without_an_answer(stage: Stage) -> None:
    """What is said about that is queued with it."""
    asked = question()
    await ask(stage, asked)

    assert await stage.commit([REPLY], **close(asked, answered=False)) is Verdict.DONE
    assert await stage.dialogs.find(message(2)) == []
    assert await stage.waiting() == 0


@pytest.mark.parametrize("answered", [True, False])
async def test_a_question_is_closed_once(stage: Stage, *, answered: bool) -> None:
    """Whoever comes too late has done nothing, and handles the message as if it had not been asked."""
    asked = question()
    await ask(stage, asked)
    await stage.hear(message(3))
    await stage.commit(**close(asked, answered=False))
    said = await stage.count("LLEN", "outbox:test/ops")

    assert await stage.commit([REPLY], **close(asked, answered=answered)) is Verdict.MORE

    assert stage.head is not None
    assert (stage.head.id, stage.head.asked) == ("m3", False)
    assert await stage.count("LLEN", "outbox:test/ops") == said
    assert await stage.waiting() == 1


async def test_a_question_takes_the_place_of_another(stage: Stage) -> None:
    """What would have closed the first closes nothing."""
    first, second = question(), question(2)
    await ask(stage, first)
    await stage.hear(message(3))
    await stage.commit(opens=[second])

    assert await stage.dialogs.find(message(3)) == [second]
    assert await stage.dialogs.find(make_expiry(first, 1.0)) == [second]
    assert await stage.commit(**close(first)) is Verdict.MORE
    assert await stage.dialogs.find(message(3)) == [second]


async def test_what_is_asked_of_anybody_is_found_for_anybody(stage: Stage) -> None:
    """Behind what the user alone was asked, and only in that room."""
    anybody, mine = question(1, user=""), question(2)
    await stage.hear(message(1))
    await stage.commit(opens=[anybody, mine])

    assert await stage.dialogs.find(message(3)) == [mine, anybody]
    assert await stage.dialogs.find(message(3, user="u2")) == [anybody]
    elsewhere = msgspec.structs.replace(message(3), room=Room("test", "dev"))
    assert await stage.dialogs.find(elsewhere) == []


@pytest.mark.parametrize("fields", [{"attempt": 1}, {"only": ("h.ask",)}, {"retried": "1-1"}])
async def test_what_is_handled_again_is_no_answer(stage: Stage, fields: dict[str, Any]) -> None:
    """It was found out to be something else before the question was asked."""
    await stage.hear(message(1))
    await stage.commit(opens=[question()])

    assert await stage.dialogs.find(msgspec.structs.replace(message(2), **fields)) == []


async def test_what_stands_there_otherwise_is_passed_over(
    stage: Stage, link: Link, keys: Keys
) -> None:
    """Rubbish is logged, and a newer release's question left to it."""
    await link.command("HSET", keys.of("dialogs"), question().place, "m1|rubbish")
    with structlog.testing.capture_logs() as logs:
        assert await stage.dialogs.find(message(2)) == []
    assert logs[0]["event"] == "an open question cannot be read"

    asked = question()
    newer = msgspec.structs.replace(
        asked, message=msgspec.structs.replace(asked.message, v=VERSION + 1)
    )
    await link.command("HSET", keys.of("dialogs"), asked.place, write_question(newer))
    with pytest.raises(NewerSchema):
        await stage.dialogs.find(message(2))


async def test_an_expiry_that_is_none_ends_nothing(stage: Stage) -> None:
    """Whoever has written it."""
    assert await stage.dialogs.find(Job("j1", EXPIRY, 1.0, '{"place":1}')) == []


def test_a_question_that_is_too_large_is_refused() -> None:
    """Before it is queued, where its author can see why."""
    with pytest.raises(WireError, match="of a dialog are kept"):
        write_question(question(words=("x" * MAX_ENVELOPE,)))


async def test_a_key_of_another_type_harms_nothing(stage: Stage, link: Link, keys: Keys) -> None:
    """No question is found there, and one that asks stays where it is, with none of its replies queued."""
    await link.command("SET", keys.of("dialogs"), "x")
    await stage.hear(message(1))
    assert await stage.dialogs.find(message(1)) == []
    assert stage.token is not None
    commit = Commit(stage.token, stage.head, [REPLY], opens=[question()])

    answers: list[Committed | StoreError]
    answers, _ = await stage.queue.turn("chat", [commit])

    assert isinstance(answers[0], StoreError)
    assert await stage.waiting() == 1
    assert await link.command("EXISTS", keys.outbox("test/ops")) == 0


async def test_the_way_of_a_dialog_is_told_with_its_first_message(
    stage: Stage, link: Link, keys: Keys
) -> None:
    """Its id begins that of what is run with the answer; and the answer names what it has become."""
    asked = question()
    await ask(stage, asked)
    await stage.commit(**close(asked))
    await stage.commit()

    first, second = await trace(link, keys, "m1"), await trace(link, keys, "m2")

    steps = [(step.what, step.id) for step in first.steps]
    assert ("reply", REPLY.id) in steps
    assert steps[-2:] == [("taken", asked.id), ("finished", asked.id)]
    assert ("finished", f"it answers {asked.id}") in [
        (step.what, step.note) for step in second.steps
    ]


async def test_where_a_question_cannot_be_kept_nothing_is_said(stage: Stage) -> None:
    """The message stays where it was, and no reply of it is queued."""
    await stage.count("SET", "dialogs", "rubbish")
    await stage.hear(message(1))
    assert stage.token is not None

    commit = Commit(stage.token, stage.head, [REPLY], opens=[question()])
    (refused,), _ = await stage.queue.turn("chat", [commit])

    assert isinstance(refused, StoreRefused)
    assert await stage.count("EXISTS", "outbox:test/ops") == 0
    assert await stage.waiting() == 1


RULES = {
    "what cannot be kept is found before anything is said": Mutation(
        "inbound_turn", "if plan.last > last then redis.call('HLEN', dialogs) end", ""
    ),
    "what is asked is open": Mutation(
        "inbound_turn",
        "for i = plan.asks, plan.last, 2 do redis.call('HSET', dialogs, ARGV[i], ARGV[i + 1]) end",
        "",
    ),
    "what is closed is open no more": Mutation(
        "inbound_turn", "if plan.closes then redis.call('HDEL', dialogs, ARGV[plan.closes]) end", ""
    ),
    "only what is open can be closed": Mutation(
        "inbound_turn",
        "if head and plan.closes and not is_open(ARGV[plan.closes], ARGV[plan.closes + 1]) then return 'MORE', head end",
        "",
    ),
    "a question is known by its id": Mutation(
        "inbound_turn",
        "return question and string.sub(question, 1, #id + 1) == id .. '|'",
        "return question",
    ),
    "what was asked about takes the place of its answer": Mutation(
        "inbound_turn", "redis.call('LSET', mailbox, 0, answered)", "redis.call('LPOP', mailbox)"
    ),
    "whoever takes a message is told that questions are open": Mutation(
        "inbound_turn",
        "if redis.call('EXISTS', dialogs) == 1 then answers[#answers + 1] = 'ASKED' end",
        "",
    ),
}


async def tell_all(make: Callable[[], Awaitable[Stage]]) -> None:
    """Go through what the tests above tell of questions, each on a stage of its own."""
    await test_a_question_is_open_from_the_moment_it_is_queued(await make())
    await test_the_answer_is_replaced_by_what_was_asked_about(await make())
    await test_a_question_takes_the_place_of_another(await make())
    for answered in (True, False):
        await test_a_question_is_closed_once(await make(), answered=answered)
    await test_where_a_question_cannot_be_kept_nothing_is_said(await make())


@pytest.mark.parametrize("rule", [None, *RULES])
async def test_each_rule_of_questions_is_needed(rule: str | None, server: Server) -> None:
    """Where one is taken away, something of the above does not hold; with all of them all does."""

    async def make() -> Stage:
        link = InstantLink(server, RULES[rule] if rule else None)
        links.append(link)
        stage = Stage(link, Keys(f"rules-{token_hex(8)}"))
        await stage.queue.prepare()
        return stage

    links: list[InstantLink] = []
    try:
        if rule is None:
            await tell_all(make)
        else:
            with pytest.raises(AssertionError):
                await tell_all(make)
    finally:
        for link in links:
            link.close()
