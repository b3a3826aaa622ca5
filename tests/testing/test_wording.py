"""Templates and languages of a handler, from its class to what is said."""

from __future__ import annotations

from hachat import Context, Handler, User, command
from hachat.bot.handlers.help import Help
from hachat.core.errors import NotFound, Unanswered
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

    @command(r"ship (?P<app>\w+)")
    async def ship(self, ctx: Context, app: str, *, force: bool = False) -> None:
        """Ship it"""
        if await ctx.confirm("Now?"):
            await ctx.reply(f"{app} {force}")
        else:
            await ctx.reply(ctx.explain(Unanswered("{nobody}")))

    @command(r"grow (?P<app>\w+)")
    async def grow(self, ctx: Context, app: User) -> None:
        """grow APP -- make it larger"""
        await ctx.reply(app.name)

    @command("find nobody")
    async def find(self, ctx: Context) -> None:
        """find nobody -- tell that there is nobody"""
        try:
            await ctx.find_user("nobody")
        except NotFound as error:
            await ctx.reply(str(error))


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


@handlers(Wordy, Help, language="de_AT")
async def test_help_is_in_the_bot_s_language(bot: Driver) -> None:
    """By the catalogue beside the handler, and for hachat's own by hachat's; what is in none is English."""
    (said,) = await bot.say("hachat help wordy")
    assert said == (
        "hachat builds ANZAHL - grüßt und zählt\n"
        "hachat find nobody - tell that there is nobody\n"
        "hachat grow APP - make it larger\n"
        "hachat live - tell what is\n"
        "hachat ship APP [--force] - Liefert aus"
    )
    (said,) = await bot.say("hachat help SUCHTEXT")
    assert said.startswith("hachat help [SUCHTEXT] - zeigt die Befehle")


@handlers(Wordy, language="de")
async def test_questions_understand_both_languages(bot: Driver) -> None:
    """What is in no catalogue stays as its author wrote it."""
    assert await bot.say("hachat ship web --force") == ["Now? (ja oder nein)"]
    assert await bot.say("ja") == ["web True"]
    await bot.say("hachat ship web")
    assert await bot.say("yes") == ["web False"]
    await bot.say("hachat ship web")
    assert await bot.say("Nein.") == ["{nobody}"]
    await bot.say("hachat ship web")
    assert await bot.say("abbrechen") == ["Gut, dann nicht: Es wird nichts weiter getan."]


@handlers(Wordy, language="de")
async def test_an_error_about_a_user_is_in_the_bot_s_language(bot: Driver) -> None:
    """Whoever catches it may say it as it is."""
    said = ["Ich kenne keinen Benutzer namens nobody."]
    assert await bot.say("hachat grow nobody") == said
    assert await bot.say("hachat find nobody") == said
