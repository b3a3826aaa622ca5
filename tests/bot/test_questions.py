"""What a route asks about a message, and with which words it goes on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio

from hachat import Anybody, Context, Handler, command, hook
from hachat.bot.questions import LONGEST, MAX_QUESTIONS, Questions, Suspended, describe
from hachat.bot.replies import Replies
from hachat.core.errors import WireError
from hachat.core.messages import Dialog, Message, Response, Room, User
from hachat.core.wire import MAX_ENVELOPE
from tests.bot.stage import Stage

ROOM, ALICE = Room("test", "ops"), User("alice")


def answered(*texts: str, said: int = 0) -> Message:
    """Return a message about which was asked, and these are the answers."""
    responses = tuple(Response(text, ALICE, 5.0) for text in texts)
    dialog = Dialog("m1", said, responses, cause="m2")
    return Message("m1/h.ask/1", ROOM, ALICE, "hachat ask", 1.0, dialog=dialog)


def make(message: Message) -> tuple[Questions, Replies]:
    """Return what a route asks, and where it does."""
    said = message.dialog.said if message.dialog else 0
    replies = Replies(message.id, "h.ask", "m1", said)
    return Questions(message, replies), replies


class Curious(Handler):
    """Asks in ways it had better not."""

    def __init__(self) -> None:
        self.fails = False
        self.cleaned = 0

    @command(r"count (?P<number>.+)")
    async def count(self, ctx: Context, number: int) -> None:
        """count NUMBER -- count"""
        await ctx.reply(str(number))

    @command("together")
    async def together(self, ctx: Context) -> None:
        """together -- ask two things at once, beside something else"""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(ctx.ask, "One?")
            nursery.start_soon(ctx.ask, "Two?")

    @command("fails")
    async def fail(self, ctx: Context) -> None:
        """fails -- ask, and fail beside it"""

        async def fall() -> None:
            raise OSError("no luck")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ctx.ask, "One?")
            nursery.start_soon(fall)

    @command("both")
    async def one(self, ctx: Context) -> None:
        """both -- ask"""
        await ctx.reply(await ctx.ask("One?"))

    @command("both")
    async def two(self, ctx: Context) -> None:
        """both -- ask, too"""
        await ctx.reply(await ctx.ask("Two?"))

    @command("cleans")
    async def clean(self, ctx: Context) -> None:
        """cleans -- clean up, however it ends"""
        try:
            await ctx.ask("Well?")
        finally:
            self.cleaned += 1

    @hook.post("/ask")
    async def hooked(self, ctx: Context) -> None:
        """Ask nobody."""
        await ctx.ask("Well?")


def test_a_question_ends_the_handler_until_it_is_answered() -> None:
    """What is kept is the message, who may answer, and how much has been said."""
    questions, replies = make(Message("m1", ROOM, ALICE, "hachat ask", 1.0, receipt=True))
    replies.add("test/ops", "hello")

    with pytest.raises(Suspended) as pause:
        questions.choose("Where?", ["Here", "there"], within="2m")

    question = pause.value.question
    assert [reply.text for reply in replies] == ["hello", "Where? (Here, there)"]
    assert (question.id, question.user, question.seconds) == ("m1/h.ask/2", "alice", 120.0)
    assert question.words == ("here", "there")
    assert question.message.dialog == Dialog("m1", 2)
    assert (question.message.only, question.message.v) == (("h.ask",), 4)
    assert not question.message.receipt


def test_what_was_said_before_is_not_said_again() -> None:
    """But it is counted, so that what comes after has the ids it would have had."""
    questions, replies = make(answered("here", said=2))
    replies.add("test/ops", "hello")
    assert questions.choose("Where?", ["Here", "there"]) == "Here"
    replies.add("test/ops", "good")

    assert [(reply.id, reply.text) for reply in replies] == [("m1/h.ask/3", "good")]
    assert questions.answered_by == ALICE


@pytest.mark.parametrize(
    ("text", "yes"), [("yes", True), ("OK!", True), ("No.", False), ("n", False)]
)
def test_a_yes_and_a_no_have_several_words(text: str, *, yes: bool) -> None:
    """In any case, and with a full stop."""
    assert make(answered(text, said=1))[0].confirm("Sure?") is yes


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"within": "soon"}, "is no duration"),
        ({"within": 0}, "up to seven days"),
        ({"within": LONGEST + 1}, "up to seven days"),
    ],
)
def test_a_span_that_cannot_be_is_refused(arguments: dict[str, Any], reason: str) -> None:
    """The author is told which and why."""
    with pytest.raises(ValueError, match=reason):
        make(answered())[0].ask("Well?", **arguments)


@pytest.mark.parametrize("choices", [[], ["a", "A"]])
def test_choices_have_to_differ(choices: list[str]) -> None:
    """Or nobody could choose."""
    with pytest.raises(ValueError, match="give some that differ"):
        make(answered())[0].choose("Well?", choices)


def test_a_group_is_no_bare_text() -> None:
    """Its letters would be groups."""
    with pytest.raises(TypeError, match=r"groups=\{'ops'\}"):
        Anybody("ops")
    assert Anybody(["ops"]) == Anybody({"ops"})


def test_a_handler_does_not_ask_for_ever() -> None:
    """After so many answers that will not do it fails."""
    questions, _ = make(answered(*["x"] * MAX_QUESTIONS))
    with pytest.raises(RuntimeError, match=f"asked {MAX_QUESTIONS} questions"):
        questions.ask("Well?", type=int)


def test_what_is_kept_is_bounded() -> None:
    """The author is told before anything is queued."""
    questions, _ = make(answered())
    questions.note("big", "x" * MAX_ENVELOPE)
    with pytest.raises(WireError, match="of a dialog are kept"):
        questions.ask("Well?")


def test_a_result_is_noted_as_json() -> None:
    """So that both runs have the same."""
    questions, _ = make(answered())
    assert questions.find("key") == (False, None)
    assert questions.note("key", (1, 2)) == [1, 2]
    assert questions.find("key") == (True, [1, 2])
    with pytest.raises(TypeError):
        questions.note("bad", object())


async def test_of_questions_asked_together_the_first_counts() -> None:
    """And whatever runs beside them is ended."""
    stage = Stage(Curious())
    said = await stage.say("hachat together")
    assert set(said) <= {"One?", "Two?"}
    assert len(stage.questions) == 1


async def test_a_command_that_is_written_wrongly_is_no_answer() -> None:
    """It is told what is wrong with it, and the question stays open."""
    stage = Stage(Curious())
    await stage.say("hachat together")

    assert await stage.say("hachat count many") == ['number must be a whole number, not "many".']

    (question,) = stage.questions.values()
    assert await stage.say("hachat count 3") == ["3"]
    assert list(stage.questions.values()) == [question]


async def test_a_handler_that_fails_has_asked_nothing() -> None:
    """It is tried again as a whole, and no answer is waited for meanwhile."""
    stage = Stage(Curious())
    said = await stage.say("hachat fails")
    assert "Sorry" in said[-1]
    assert not stage.questions


async def test_of_two_routes_that_ask_the_later_counts() -> None:
    """There is one question for a user in a room."""
    stage = Stage(Curious())
    assert set(await stage.say("hachat both")) == {"One?", "Two?"}
    assert len(stage.questions) == 1
    assert await stage.say("ada") == ["ada"]


async def test_a_handler_cleans_up_when_it_asks() -> None:
    """To ask is to end, as far as `finally` is concerned."""
    curious = Curious()
    stage = Stage(curious)
    await stage.say("hachat cleans")
    assert curious.cleaned == 1
    await stage.say("well")
    assert curious.cleaned == 2


async def test_a_webhook_has_nobody_to_ask() -> None:
    """That is an error of the handler."""
    stage = Stage(Curious())
    await stage.request("POST", "/ask")
    assert not stage.questions


@pytest.mark.parametrize("length", [4_000, 4_001])
async def test_an_answer_has_a_longest(length: int) -> None:
    """Whoever writes more is told, and may answer again."""
    stage = Stage(Curious())
    await stage.say("hachat both")
    said = await stage.say("x" * length)
    assert said == (
        ["x" * length]
        if length == 4_000
        else ["That is too long for an answer; write at most 4,000 characters."]
    )


async def test_the_age_of_a_command_is_that_of_its_last_answer() -> None:
    """Who answers after an hour still wants it."""
    now = 1_000_000.0
    stage = Stage(Curious(), now=lambda: now)
    run = await stage.robot.carry_out(
        msgspec.structs.replace(answered("ada", said=1), only=("curious.one",), text="hachat both")
    )
    assert "too late" in run.replies[0].text
    fresh = Dialog("m1", 1, (Response("ada", ALICE, now - 1),), cause="m2")
    run = await stage.robot.carry_out(
        msgspec.structs.replace(answered(), only=("curious.one",), text="hachat both", dialog=fresh)
    )
    assert [reply.text for reply in run.replies] == ["ada"]
    assert [reply.about for reply in run.replies] == ["m2"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (300, "5 minutes"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (7_200, "2 hours"),
        (86_400, "1 day"),
    ],
)
def test_a_span_is_told_in_words(seconds: float, words: str) -> None:
    """In the largest unit that fits."""
    assert describe(seconds) == words
