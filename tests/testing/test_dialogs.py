"""Questions, asked and answered on real queues: nothing of them is in a node's memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hachat import Anybody, Confirm, Context, Handler, command, hear
from hachat.core.messages import Inbound
from hachat.store.dialogs import Question
from hachat.testing import Driver, handlers


class Deploys(Handler):
    """Asks before it does anything."""

    def __init__(self) -> None:
        self.runs = 0
        self.reserved = 0
        self.fails = 0

    @command(r"deploy (?P<app>\w+)")
    async def deploy(self, ctx: Context, app: str) -> None:
        """deploy APP -- ship it"""
        self.runs += 1
        await ctx.reply(f"{app} it is.")
        where = await ctx.choose("Where to?", ["staging", "production"])
        version = await ctx.ask(
            "Which version?",
            type=int,
            check=lambda number: None if number > 0 else "There is no such version.",
        )
        await ctx.reply(f"{version} goes to {where}.")
        if await ctx.confirm("Now?"):
            await ctx.reply(f"Deployed {app}.")
        else:
            await ctx.reply("Not deployed.")

    @command("plain")
    def plain(self, ctx: Context) -> None:
        """plain -- ask from a thread"""
        name = ctx.questions.ask("Who?")
        ctx.reply(f"{name}, asked in {ctx.room.id}")

    @command("reserve")
    async def reserve(self, ctx: Context) -> None:
        """reserve -- do something once"""
        number = await ctx.once("number", self._take)
        if await ctx.confirm(f"Use {number}?"):
            await ctx.reply(f"{number} used")

    @command("drop tables", confirm=True)
    async def drop(self, ctx: Context) -> None:
        """drop tables -- do that"""
        await ctx.reply("dropped")

    @command("launch", confirm=Confirm(who=Anybody({"ops"}, others=True), within="1m"))
    async def launch(self, ctx: Context) -> None:
        """launch -- do that"""
        by = ctx.questions.answered_by
        assert by is not None
        await ctx.reply(f"launched for {ctx.user.id} by {by.id}")

    @command("vote")
    async def vote(self, ctx: Context) -> None:
        """vote -- ask the room"""
        pick = await ctx.choose("Tea?", ["green", "black"], who=Anybody())
        await ctx.reply(f"{pick}, says {ctx.questions.answered_by.id}")  # type: ignore[union-attr]

    @command("flaky")
    async def flaky(self, ctx: Context) -> None:
        """flaky -- fail after the answer, at first"""
        name = await ctx.ask("Name?")
        self.fails += 1
        if self.fails == 1:
            raise OSError("no luck")
        await ctx.reply(f"{name} at last")

    @command("timed")
    async def timed(self, ctx: Context) -> None:
        """timed -- set a timer, then ask"""
        await ctx.after("10s", "ring")
        await ctx.ask("Sure?")

    @command("ping")
    async def ping(self, ctx: Context) -> None:
        """ping -- answer"""
        await ctx.reply("pong")

    @hear("lunch")
    async def lunch(self, ctx: Context) -> None:
        """Say something."""
        await ctx.reply("Lunch!")

    def _take(self) -> int:
        self.reserved += 1
        return self.reserved


NOW = "Now? (yes or no)"
TO = "Where to? (staging, production)"


@handlers(Deploys)
async def test_a_handler_goes_on_with_the_answers(bot: Driver) -> None:
    """What was said before is not said again, and each answer is what its question returns."""
    assert await bot.say("hachat deploy web") == ["web it is.", TO]
    assert await bot.say("production") == ["Which version?"]
    assert await bot.say("hachat 7") == ["7 goes to production.", NOW]
    assert await bot.say("Yes!") == ["Deployed web."]
    assert await bot.say("yes") == []


@handlers(Deploys)
async def test_an_answer_that_will_not_do_is_asked_for_again(bot: Driver) -> None:
    """With the reason, whatever of choice, kind or check it fails."""
    await bot.say("hachat deploy web")
    assert await bot.say("mars") == [f"Please answer with one of these: staging, production. {TO}"]
    assert await bot.say("staging") == ["Which version?"]
    assert await bot.say("new") == ['Please answer with a whole number, not "new". Which version?']
    assert await bot.say("0") == ["There is no such version. Which version?"]
    assert await bot.say("1") == ["1 goes to staging.", NOW]
    assert await bot.say("perhaps") == [f"Please answer yes or no. {NOW}"]
    assert await bot.say("no") == ["Not deployed."]


@handlers(Deploys)
async def test_only_who_was_asked_answers_and_only_there(bot: Driver) -> None:
    """Somebody else and another room are something else."""
    await bot.say("hachat deploy web")
    assert await bot.as_user("bob").say("staging") == []
    assert await bot.in_room("test/#other").say("staging") == []
    assert await bot.say("staging") == ["Which version?"]


@handlers(Deploys)
async def test_a_command_is_a_command_while_a_question_is_open(bot: Driver) -> None:
    """The question stays open; but what is only heard is an answer."""
    await bot.say("hachat plain")
    assert await bot.say("hachat ping") == ["pong"]
    assert await bot.say("lunch") == ["lunch, asked in #room"]
    assert await bot.say("lunch") == ["Lunch!"]


@handlers(Deploys)
@pytest.mark.parametrize("word", ["cancel", "Never mind.", "hachat cancel"])
async def test_a_question_can_be_ended(bot: Driver, word: str) -> None:
    """And nothing more is done about it, by anybody or by time."""
    await bot.say("hachat plain")
    assert await bot.say(word) == ["Never mind, then: nothing more is done."]
    assert await bot.say("ada") == []
    assert await bot.advance("1h") == []


@handlers(Deploys)
async def test_a_question_lapses(bot: Driver) -> None:
    """That is told, once, and only if nobody has answered."""
    await bot.say("hachat plain")
    assert await bot.advance("4m") == []
    assert await bot.advance("2m") == [
        'No answer within 5 minutes about "hachat plain", so nothing more was done.'
    ]
    assert await bot.say("ada") == []
    await bot.say("hachat plain")
    assert await bot.say("ada") == ["ada, asked in #room"]
    assert await bot.advance("1h") == []


@handlers(Deploys)
async def test_a_later_question_takes_the_place_of_an_earlier_one(bot: Driver) -> None:
    """Which is told, and the replies after it are counted as they should."""
    await bot.say("hachat plain")
    assert await bot.say("hachat deploy web") == [
        "web it is.",
        f'{TO} (I ask no more about "hachat plain"; nothing was done.)',
    ]
    assert await bot.say("staging") == ["Which version?"]
    assert await bot.say("3") == ["3 goes to staging.", NOW]
    assert await bot.advance("4m") == []
    assert len(await bot.advance("2m")) == 1


@handlers(Deploys)
async def test_two_people_are_asked_side_by_side(bot: Driver) -> None:
    """Each answers for themselves."""
    await bot.say("hachat plain")
    await bot.as_user("bob").say("hachat plain")
    assert await bot.as_user("bob").say("Bob") == ["Bob, asked in #room"]
    assert await bot.say("Alice") == ["Alice, asked in #room"]


@handlers(Deploys)
async def test_what_is_to_be_done_once_is(bot: Driver) -> None:
    """Its result is kept with the question."""
    assert await bot.say("hachat reserve") == ["Use 1? (yes or no)"]
    assert await bot.say("hm") == ["Please answer yes or no. Use 1? (yes or no)"]
    assert await bot.say("yes") == ["1 used"]


@handlers(Deploys)
async def test_a_command_may_want_a_yes(bot: Driver) -> None:
    """It is run after it, and only then."""
    assert await bot.say("hachat drop tables") == ['Really "drop tables"? (yes or no)']
    assert await bot.say("no") == ["Then I leave it: nothing was done."]
    await bot.say("hachat drop tables")
    assert await bot.say("yes") == ["dropped"]


@handlers(Deploys, groups={"ops": ["olga"]})
async def test_somebody_else_may_have_to_say_yes(bot: Driver) -> None:
    """One of a group, and not who gave the command; the denied are told."""
    await bot.say("hachat launch")
    assert await bot.say("yes") == ["Somebody else has to answer that."]
    assert await bot.as_user("bob").say("yes") == ["You may not answer that: it is for ops."]
    assert await bot.as_user("bob").say("what a day") == []
    assert await bot.as_user("olga").say("yes") == ["launched for alice by olga"]


@handlers(Deploys)
async def test_anybody_may_be_asked(bot: Driver) -> None:
    """What is not one of the choices has to be said to the bot; the first answer counts."""
    await bot.say("hachat vote")
    assert await bot.as_user("bob").say("coffee") == []
    assert await bot.as_user("bob").say("hachat coffee") == [
        "Please answer with one of these: green, black. Tea? (green, black)"
    ]
    assert await bot.as_user("eve").say("black") == ["black, says eve"]
    assert await bot.as_user("bob").say("green") == []


@handlers(Deploys)
async def test_what_fails_after_an_answer_is_tried_again_with_it(bot: Driver) -> None:
    """Nobody is asked twice."""
    await bot.say("hachat flaky")
    (sorry,) = await bot.say("Ada")
    assert "I will try again" in sorry
    assert await bot.advance("10s") == ["Ada at last"]


@handlers(Deploys)
async def test_a_timer_is_set_when_the_handler_ends(bot: Driver) -> None:
    """What ends with a question has not ended, so nothing was asked for."""
    await bot.say("hachat timed")
    assert await bot.advance("20s") == []


@handlers(Deploys)
async def test_a_node_that_dies_loses_neither_question_nor_answer(bot: Driver) -> None:
    """Whether it dies as it asks or as it is answered, another one goes on, and nothing is said twice."""
    assert await bot.crash_during("hachat deploy web") == ["web it is.", TO]
    assert await bot.crash_during("production") == ["Which version?"]
    assert await bot.crash_during("7") == ["7 goes to production.", NOW]
    assert await bot.deliver_twice("yes") == ["Deployed web."]


@handlers(Deploys)
async def test_an_answer_that_comes_too_late_is_what_it_would_have_been(bot: Driver) -> None:
    """The question was closed when it had been found, and before the answer was committed."""
    await bot.say("hachat plain")
    (worker, _) = bot._node._workers
    find = worker._find

    async def find_too_late(inbound: Inbound) -> Sequence[Question]:
        found = await find(inbound)
        await bot._link.command("DEL", bot._keys.of("dialogs"))
        return found

    worker._find = find_too_late
    assert await bot.say("lunch") == ["Lunch!"]
