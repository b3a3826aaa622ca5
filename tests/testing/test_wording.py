"""Templates and languages of a handler, from its class to what is said."""

from __future__ import annotations

from hachat import Context, Handler, command
from hachat.testing import Driver, handlers


class Wordy(Handler):
    """Has templates and a catalogue beside it."""

    @command("live")
    async def live(self, ctx: Context) -> None:
        """live -- tell what is"""
        await ctx.reply(ctx.render("live", apps={"web": "1.4", "db": "9"}))

    @command(r"builds (?P<number>\d+)")
    async def builds(self, ctx: Context, number: int) -> None:
        """builds NUMBER -- greet, and count"""
        greeting = ctx.translate("Good morning, {name}!", name=ctx.user.id)
        count = ctx.translate_count("{number} build", "{number} builds", number)
        await ctx.reply(f"{greeting} {count}.")


@handlers(Wordy)
async def test_a_template_has_a_form_for_each_service(bot: Driver) -> None:
    """In markdown where it is named so."""
    assert await bot.say("hachat live") == ["* web 1.4\n* db 9"]
    assert await bot.in_room("irc/#ops").say("hachat live") == ["2 live"]


@handlers(Wordy)
async def test_english_is_what_stands_in_the_code(bot: Driver) -> None:
    """Without a catalogue."""
    assert await bot.say("hachat builds 1") == ["Good morning, alice! 1 build."]


@handlers(Wordy, language="de")
async def test_a_bot_has_a_language(bot: Driver) -> None:
    """With its plural."""
    assert await bot.say("hachat builds 3") == ["Guten Morgen, alice! 3 Builds."]
