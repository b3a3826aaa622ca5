"""What the author of a handler tests it with behaves as the cluster does."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import replace

from hachat import Context, Handler, Markdown, command, every, hear, hook, job
from hachat.testing import Driver, handlers


class Probe(Handler):
    """Does a little of everything."""

    def __init__(self) -> None:
        self.runs = 0

    @command(r"greet (?P<name>\w+)")
    async def greet(self, ctx: Context, name: str) -> None:
        """greet NAME -- say hello"""
        self.runs += 1
        await ctx.reply(f"Hello, {name}!")

    @command("who am i")
    async def who(self, ctx: Context) -> None:
        """who am i -- tell who asks, and where"""
        await ctx.reply(f"{ctx.user.id} in {ctx.room.address}, {ctx.room.private}")

    @command("who is here")
    async def here(self, ctx: Context) -> None:
        """who is here -- list the people"""
        await ctx.reply(", ".join(user.id for user in await ctx.roster()))

    @command("celebrate")
    async def celebrate(self, ctx: Context) -> None:
        """celebrate -- do everything"""
        await ctx.act("dances")
        await ctx.react("tada")
        await ctx.topic("it works")
        await ctx.join("irc/#party")
        async with ctx.progress("cake") as progress:
            await progress.update("eaten")

    @hear("tea")
    async def tea(self, ctx: Context) -> None:
        """Announce it elsewhere."""
        await ctx.say("irc/#kitchen", "tea!")

    @hook.post("/deployed/<app>")
    async def deployed(self, ctx: Context, app: str, event: dict[str, str]) -> None:
        """Announce it."""
        await ctx.say("irc/#ops", f"{app} {event['version']}")

    @command(r"remind in (?P<delay>\w+)")
    async def remind(self, ctx: Context, delay: str) -> None:
        """remind in DELAY -- do that"""
        await ctx.after(delay, "ring", data=ctx.room.address)

    @job
    async def ring(self, ctx: Context, room: str) -> None:
        """Ring."""
        await ctx.say(room, "ring")

    @command("fail")
    async def fail(self, ctx: Context) -> None:
        """fail -- do that"""
        self.runs += 1
        raise OSError("no luck")


class Clockwork(Handler):
    """Says the time."""

    @every("weekdays 09:30")
    async def morning(self, ctx: Context) -> None:
        """Say it."""
        at = datetime.fromtimestamp(ctx.job.at, UTC)
        await ctx.say("irc/#team", f"{at:%A %H:%M}")


probe = handlers(Probe)


@probe
async def test_what_is_said_is_answered(bot: Driver) -> None:
    """With its room and thread, and compared like text."""
    (said,) = await bot.in_room("irc/#ops", thread="T1").say("hachat greet Ada")
    assert (said, said.room, said.thread) == ("Hello, Ada!", "irc/#ops", "T1")
    assert await bot.say("hachat greet Bob") == ["Hello, Bob!"]
    assert await bot.say("nothing for the bot") == []
    assert bot.said == ["Hello, Ada!", "Hello, Bob!"]


@probe
async def test_who_speaks_and_where(bot: Driver) -> None:
    """Alice in test/#room, or whoever and wherever the test says."""
    assert await bot.say("hachat who am i") == ["alice in test/#room, False"]
    assert await bot.as_user("bob").in_private().say("who am i") == ["bob in test/bob, True"]


@probe
async def test_people_are_met_where_they_speak(bot: Driver) -> None:
    """A roster has everybody who has said something there."""
    await bot.as_user("bob").say("hello")
    assert await bot.say("hachat who is here") == ["bob, alice"]


@probe
async def test_what_is_said_elsewhere_comes_back_too(bot: Driver) -> None:
    """In its room."""
    (said,) = await bot.say("is there tea?")
    assert (said, said.room) == ("tea!", "irc/#kitchen")


@probe
async def test_whatever_it_does_is_remembered(bot: Driver) -> None:
    """With what kind of thing it was."""
    done = await bot.say("hachat celebrate")
    assert [(said.op, str(said)) for said in done if said.room == "test/#room"] == [
        ("act", "dances"),
        ("react", ""),
        ("topic", "it works"),
        ("say", "cake"),
        ("edit", "cake: eaten"),
    ]
    assert [said.room for said in done if said.op == "join"] == ["irc/#party"]


class Gossip(Handler):
    """Reacts to what is said."""

    @hear("tea")
    async def people(self, ctx: Context) -> None:
        """React to people."""
        await ctx.reply("there is tea")

    @hear("tea", bots=True)
    async def everybody(self, ctx: Context) -> None:
        """React to bots, too."""
        await ctx.reply(f"{ctx.user.name} said tea")


@handlers(Gossip)
async def test_other_bots_are_heard_where_that_is_wanted(bot: Driver) -> None:
    """And nowhere else, so two of them cannot talk to each other for ever; nor are they told what they could say."""
    rival = bot.as_bot("rival")
    assert await bot.say("tea?") == ["there is tea", "alice said tea"]
    assert await rival.say("tea?") == ["rival said tea"]
    assert await rival.say("hachat pnig") == []
    assert await rival.as_user("bob").say("hachat pnig") != []


@probe
async def test_webhooks(bot: Driver) -> None:
    """A body is checked at the door, and what fits reaches the handler."""
    assert await bot.request("POST", "/deployed/web", {"version": "1.4"}) == ["web 1.4"]
    with pytest.raises(ValueError, match="Expected `object`"):
        await bot.request("POST", "/deployed/web", [1])
    with pytest.raises(LookupError, match="no handler accepts GET /hooks/deployed/web"):
        await bot.request("GET", "/deployed/web")


@probe
async def test_timers_ring_when_time_has_passed(bot: Driver) -> None:
    """And not a moment before."""
    await bot.say("hachat remind in 10m")
    assert await bot.advance("9m 59s") == []
    assert await bot.advance(2) == ["ring"]
    assert await bot.fire("probe.ring", "test/#room") == ["ring"]


@handlers(Clockwork)
async def test_schedules_run_at_their_times(bot: Driver) -> None:
    """Each once, in order, wherever the test begins."""
    bot.time = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)  # a Thursday
    assert await bot.advance("5d") == ["Friday 09:30", "Monday 09:30", "Tuesday 09:30"]
    assert bot.time.date() == datetime(2026, 3, 10, tzinfo=UTC).date()


TWICE, CRASHED, FAILED = Probe(), Probe(), Probe()


@handlers(TWICE)
async def test_a_second_delivery_changes_nothing(bot: Driver) -> None:
    """The handler runs once."""
    assert await bot.deliver_twice("hachat greet Ada") == ["Hello, Ada!"]
    assert TWICE.runs == 1


@handlers(CRASHED)
async def test_a_node_that_dies_is_followed_by_another(bot: Driver) -> None:
    """The handler runs again, and what it says is said once."""
    assert await bot.crash_during("hachat greet Ada") == ["Hello, Ada!"]
    assert CRASHED.runs == 2
    assert await bot.say("hachat greet Bob") == ["Hello, Bob!"]


@handlers(FAILED)
async def test_a_failure_is_retried_in_the_test_s_time(bot: Driver) -> None:
    """The user is told, and after enough time that it was given up."""
    (sorry,) = await bot.say("hachat fail")
    assert sorry.startswith("Sorry, that went wrong")
    (given_up,) = await bot.advance("1h")
    assert given_up.startswith('Sorry, I gave up "hachat fail" after 6 tries')
    assert FAILED.runs == 6


@probe
async def test_routes_can_be_asked_for(bot: Driver) -> None:
    """Without running them."""
    assert bot.find_routes("hachat greet Ada") == ["probe.greet"]
    assert bot.find_routes("tea, hachat?") == ["probe.tea"]
    assert bot.find_routes("hello") == []
    assert bot.said == []


class Polite(Handler):
    """Has a setting."""

    class Settings(msgspec.Struct):
        """Its setting."""

        word: str = "please"

    def __init__(self, settings: Settings) -> None:
        self._word = settings.word

    @command("word")
    async def word(self, ctx: Context) -> None:
        """word -- say it"""
        await ctx.reply(self._word)


@handlers(Polite, name="hal", aliases=["!"])
async def test_settings_have_their_defaults(bot: Driver) -> None:
    """And the bot may have another name."""
    assert await bot.say("hal word") == await bot.say("! word") == ["please"]


@handlers(Polite(Polite.Settings("now")))
async def test_a_handler_may_be_made_by_the_test(bot: Driver) -> None:
    """With other settings."""
    assert await bot.say("hachat word") == ["now"]


class Marked(Handler):
    """Speaks in markdown."""

    @command("status")
    async def status(self, ctx: Context) -> None:
        """status -- tell it"""
        await ctx.reply(Markdown("**web** is [live](https://web.example)"))


@handlers(Marked)
async def test_markdown_is_shown_as_words(bot: Driver) -> None:
    """Where a service shows nothing else, as that of a test."""
    assert await bot.say("hachat status") == ["web is live (https://web.example)"]


@handlers(Probe)
async def test_unknown_commands_are_answered_or_passed_over(bot: Driver) -> None:
    """As the setting has it; who is alone with the bot is always answered."""
    assert await bot.say("hachat frobnicate")
    bot.robot.services.unknown = "quiet"
    assert await bot.say("hachat frobnicate") == []
    assert await bot.in_private().say("frobnicate")


class Forgetful(Handler):
    """Remembers for a while, and does things not too often."""

    @command("note")
    async def note(self, ctx: Context) -> None:
        """note -- remember for an hour"""
        await ctx.memory.set("tea", "hot", expire="1h")

    @command("recall")
    async def recall(self, ctx: Context) -> None:
        """recall -- tell"""
        await ctx.reply(str(await ctx.memory.get("tea")))

    @command("brew", rate="1/10m")
    async def brew(self, ctx: Context) -> None:
        """brew -- make tea"""
        await ctx.reply("done")


@handlers(Forgetful)
async def test_what_is_remembered_grows_old(bot: Driver) -> None:
    """Time that passes in the test passes for it, too."""
    await bot.say("hachat note")
    await bot.advance("59m 59s")
    assert await bot.say("hachat recall") == ["hot"]
    await bot.advance("2s")
    assert await bot.say("hachat recall") == ["None"]


@handlers(Forgetful)
async def test_rates_go_by_the_time_of_the_test(bot: Driver) -> None:
    """Who has waited may go on."""
    assert await bot.say("hachat brew") == ["done"]
    assert await bot.say("hachat brew") != ["done"]
    await bot.advance("10m")
    assert await bot.say("hachat brew") == ["done"]


@probe
async def test_a_second_delivery_is_recognised_as_long_as_in_production(bot: Driver) -> None:
    """For an hour; then it is a message like any other."""
    message = bot.as_user("bob").make("hachat greet Ada")
    assert await bot.hear(message) == ["Hello, Ada!"]
    await bot.advance("59m")
    assert await bot.hear(replace(message, id="again", at=bot.now())) == []
    await bot.advance("2m")
    assert await bot.hear(replace(message, id="late", at=bot.now())) == ["Hello, Ada!"]
