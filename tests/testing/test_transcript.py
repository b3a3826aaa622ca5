"""Whoever reads why a test failed is told what was said, what was run for it, and what came of that."""

from __future__ import annotations

from hachat import Context, Handler, command, hook, job
from hachat.testing import Driver, handlers


class Kitchen(Handler):
    """Makes tea."""

    @command("tea")
    async def tea(self, ctx: Context) -> None:
        """tea -- make some"""
        if await ctx.confirm("Now?"):
            await ctx.after("4m", "ready", data=ctx.room.address)

    @job
    async def ready(self, ctx: Context, room: str) -> None:
        """Call them."""
        await ctx.say(room, "Tea!")

    @command("quiet")
    async def quiet(self, ctx: Context) -> None:
        """quiet -- be that"""

    @command("cheer")
    async def cheer(self, ctx: Context) -> None:
        """cheer -- do that"""
        await ctx.react("tada")

    @hook.post("/kettle")
    async def kettle(self, ctx: Context) -> None:
        """Go where tea is drunk."""
        await ctx.join("irc/#team")


pytestmark = handlers(Kitchen)


async def test_what_is_said_is_told_with_what_it_runs(bot: Driver) -> None:
    """Also where nothing comes of it, for one of two reasons."""
    await bot.say("hachat quiet")
    await bot.as_user("bob").in_room("irc/#lab").say("hello")
    assert bot.transcript.splitlines() == [
        "alice in test/#room: hachat quiet",
        "    runs kitchen.quiet",
        "bob in irc/#lab: hello",
        "    no route is for that",
    ]


async def test_a_question_its_answer_and_what_becomes_due(bot: Driver) -> None:
    """In the order in which all that happened."""
    await bot.say("hachat tea")
    await bot.say("yes")
    await bot.advance("4m")
    assert bot.transcript.splitlines() == [
        "alice in test/#room: hachat tea",
        "    runs kitchen.tea",
        "    says in test/#room: Now? (yes or no)",
        "alice in test/#room: yes",
        "    the bot itself sees to that",
        "alice in test/#room: hachat tea",
        "    runs kitchen.tea",
        "due: kitchen.ready",
        "    runs kitchen.ready",
        "    says in test/#room: Tea!",
    ]


async def test_webhooks_and_what_is_done_in_rooms(bot: Driver) -> None:
    """By the route, and by the operation."""
    await bot.request("POST", "/kettle")
    assert bot.transcript.splitlines() == [
        "webhook for kitchen.kettle",
        "    runs kitchen.kettle",
        "    does in irc/#team: join",
    ]


async def test_what_is_done_is_told_with_its_arguments(bot: Driver) -> None:
    """Which are all there is to a reaction; the event is the message it is to."""
    await bot.say("hachat cheer")
    *_, last = bot.transcript.splitlines()
    assert last.startswith("    does in test/#room: react")
    assert "name=tada" in last
