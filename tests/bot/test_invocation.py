"""Routes are called by whoever may, as often as they may, with what they ask for."""

from __future__ import annotations

from structlog.testing import capture_logs

from hachat import Context, Duration, Handler, Room, User, command, hear
from hachat.core.errors import Ambiguous
from hachat.core.messages import Message
from hachat.core.rates import Rate, Turn
from tests.bot.stage import Stage


class Desk(Handler):
    """Takes arguments of all kinds, and not too often."""

    @command(r"who is (?P<who>.+)")
    async def who(self, ctx: Context, who: User) -> None:
        """who is WHO -- tell"""
        await ctx.reply(f"{who.id}/{who.name}")

    @command("find")
    async def find(
        self, ctx: Context, *, who: User | None = None, room: Room | None = None
    ) -> None:
        """find -- tell what was found"""
        await ctx.reply(f"{who.id if who else '-'} {room.address if room else '-'}")

    @command(r"wait (?P<time>.+)")
    async def wait(self, ctx: Context, time: Duration) -> None:
        """wait TIME -- tell how long"""
        await ctx.reply(f"{time:g} {isinstance(time, float)}")

    @command(r"switch (?P<on>\w+)")
    async def switch(self, ctx: Context, on: bool) -> None:  # noqa: FBT001 - a group
        """switch ON -- tell whether"""
        await ctx.reply(repr(on))

    @hear(r"(?P<who>@\w+) rocks")
    async def praise(self, ctx: Context, who: User) -> None:
        """Join in."""
        await ctx.reply(f"{who.name} does")

    @command("tell")
    async def tell(self, ctx: Context) -> str:
        """tell -- forget to say it"""
        return "told"

    @command("seldom", rate="1/10m", rate_by="room")
    async def seldom(self, ctx: Context) -> None:
        """seldom -- answer not often"""
        await ctx.reply("now")

    @hear("rare", rate="1/10m")
    async def rare(self, ctx: Context) -> None:
        """Answer not often."""
        await ctx.reply("rare")


async def test_users_and_rooms_are_looked_for() -> None:
    """In groups and in options, on the service of the message; who is not found is told to the user."""
    stage = Stage(Desk())
    asked: list[tuple[str, str]] = []

    async def find_room(adapter: str, text: str) -> Room:
        asked.append((adapter, text))
        if text == "o":
            raise Ambiguous("o is #ops or #other.", ("#ops", "#other"))
        return Room("irc", "#ops")

    stage.robot.services.find_room = find_room
    await stage.say("hello", user="bob")

    assert await stage.say("hachat who is @Bob") == ["bob/bob"]
    assert await stage.say("hachat who is carol") == ["I know no user called carol."]
    assert await stage.say("hachat find --who bob --room #ops") == ["bob irc/#ops"]
    assert await stage.say("hachat find") == ["- -"]
    assert await stage.say("hachat find --room o") == ["o is #ops or #other."]
    assert asked == [("test", "#ops"), ("test", "o")]


async def test_spans_and_switches() -> None:
    """They are what their annotation says, or the user learns what to write."""
    stage = Stage(Desk())

    assert await stage.say("hachat wait 1h 30m") == ["5400 True"]
    assert await stage.say("hachat wait long") == [
        'time must be a time such as 30s, 5m or 2h, not "long".'
    ]
    assert await stage.say("hachat switch ON") == ["True"]
    assert await stage.say("hachat switch no") == ["False"]
    assert await stage.say("hachat switch off-ish") != ["False"]
    assert await stage.say("hachat switch perhaps") == ['on must be yes or no, not "perhaps".']


async def test_who_is_refused_is_told_once() -> None:
    """Each room of its own, and what was only heard is passed over."""
    stage = Stage(Desk())

    assert await stage.say("hachat seldom") == ["now"]
    assert await stage.say("hachat seldom", user="bob") == [
        "Not so often, please: again in 10 min."
    ]
    assert await stage.say("hachat seldom") == []
    assert await stage.say("hachat seldom", room="test/#other") == ["now"]
    assert await stage.say("how rare") == ["rare"]
    assert await stage.say("how rare") == []
    assert await stage.say("how rare", user="bob") == ["rare"]


async def test_a_further_try_is_not_counted() -> None:
    """What was let in once is let in again."""
    stage = Stage(Desk())

    async def never(name: str, rate: Rate) -> Turn:
        return Turn(60.0)

    stage.robot.services.throttle = never
    message = Message("M9", Room("test", "#room"), User("alice"), "hachat seldom", 1e12, attempt=1)
    assert [reply.text for reply in await stage.robot.handle(message)] == ["now"]


async def test_who_said_nothing_to_the_bot_is_told_of_no_fault() -> None:
    """That nobody is called so is for those who have asked."""
    stage = Stage(Desk())

    assert await stage.say("@nobody rocks") == []
    assert await stage.say("hachat who is @nobody") == ["I know no user called @nobody."]


async def test_who_returns_a_text_is_told_that_nobody_hears_it() -> None:
    """In other bots it would be said."""
    with capture_logs() as logs:
        assert await Stage(Desk()).say("hachat tell") == []

    (told,) = [log for log in logs if "ctx.reply" in log["event"]]
    assert (told["route"], told["returned"]) == ("desk.tell", '"told"')


def test_help_names_the_options() -> None:
    """They are in the line that help shows, unless the docstring has them."""
    lines = [usage.line for usage in Stage(Desk()).robot.bot.commands]

    assert "find [--who WHO] [--room ROOM]" in lines
