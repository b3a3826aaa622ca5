"""What happens reaches whoever wants to know: on this node as a part of the handler, or the cluster through the queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from hachat import Context, Handler, command, job, on, startup
from hachat.bot.binding import bind
from hachat.bot.declarations import DECLARED
from hachat.bot.routes import JobRoute
from hachat.core.errors import HandlerError
from hachat.core.messages import Event, Room
from tests.bot.stage import Stage


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What has been logged."""
    with capture_logs() as lines:
        yield lines


class Done(msgspec.Struct):
    """What is told."""

    app: str


class Maker(Handler):
    """Makes things happen."""

    @command(r"emit (?P<event>\w+)")
    async def emit(self, ctx: Context, event: str) -> None:
        """emit EVENT -- emit it"""
        await ctx.emit(event, Done("web"))
        await ctx.reply("emitted")

    @command(r"publish (?P<event>\w+)")
    def publish(self, ctx: Context, event: str) -> None:
        """publish EVENT -- publish it, from a thread"""
        ctx.publish(event, Done("web"))
        ctx.reply("published")

    @command("fail")
    async def fail(self, ctx: Context) -> None:
        """fail -- emit and publish, then fail"""
        await ctx.emit("deployed")
        await ctx.publish("deployed")
        raise OSError("too bad")

    @command("wrong")
    async def wrong(self, ctx: Context) -> None:
        """wrong -- emit what cannot be written"""
        await ctx.emit("deployed", object())


class Ear(Handler):
    """Listens."""

    @on("Deployed")
    async def deployed(self, ctx: Context, what: Done) -> None:
        """Tell, and set a timer."""
        await ctx.say("test/#log", f"{ctx.event.name}: {what.app}")
        await ctx.after(60, "later", name="again")

    @on("round")
    async def round(self, ctx: Context) -> None:
        """Go round in circles."""
        await ctx.say("test/#log", "round")
        await ctx.emit("round")

    @on("broken")
    async def broken(self, ctx: Context, what: Done) -> None:
        """Fail, having said something and set a timer."""
        await ctx.after(60, "later")
        raise OSError(what.app)

    @on("broken")
    async def whole(self, ctx: Context) -> None:
        """Be there all the same."""
        await ctx.say("test/#room", "whole")

    @job
    async def later(self, ctx: Context) -> None:
        """Be due."""


async def test_emitted_events_run_as_a_part_of_the_handler() -> None:
    """After it has ended well, listeners speak, and set timers of their own handler's."""
    stage = Stage(Maker(), Ear())

    assert await stage.say("hachat emit deployed") == ["emitted", "deployed: web"]
    assert [later.id for later in stage.later] == ["ear/again"]
    assert len({reply.id for reply in stage.replies}) == 2


async def test_published_events_go_through_the_queue() -> None:
    """They are committed with the replies, and told as an envelope of their own."""
    stage = Stage(Maker(), Ear())

    assert await stage.say("hachat publish Deployed") == ["published", "deployed: web"]
    published = [later.value for later in stage.later if later.value and later.lane == "work"]
    (event,) = [value for value in published if isinstance(value, Event)]
    assert (event.name, event.body, event.conversation) == (
        "deployed",
        '{"app":"web"}',
        "event/deployed",
    )


async def test_a_handler_that_fails_makes_nothing_happen() -> None:
    """What it asked for is asked for again when it is tried again."""
    stage = Stage(Maker(), Ear())

    assert await stage.say("hachat fail") == ["Sorry, that went wrong (id M1). I will try again."]
    assert stage.later == []


async def test_what_cannot_be_written_fails_where_its_author_sees_it() -> None:
    """Data is JSON."""
    stage = Stage(Maker(), Ear())

    assert await stage.say("hachat wrong") == ["Sorry, that went wrong (id M1). I will try again."]


async def test_a_listener_that_fails_disturbs_nobody(logged: list[Any]) -> None:
    """It is logged, sets no timer, and neither the handler nor other listeners suffer."""
    stage = Stage(Maker(), Ear())

    assert await stage.say("hachat emit broken") == ["emitted", "whole"]
    assert stage.later == []
    assert [line["route"] for line in logged if line["log_level"] == "error"] == ["ear.broken"]


async def test_events_do_not_go_round_for_ever(logged: list[Any]) -> None:
    """One may lead to another only so often."""
    stage = Stage(Maker(), Ear())

    assert await stage.say("hachat emit round") == ["emitted", *["round"] * 8]
    assert [line["event"] for line in logged if line["log_level"] == "error"] == [
        "a listener failed"
    ]


async def test_an_event_of_a_chat_service() -> None:
    """Where and by whom it happened is told, and its data is read as its listener wants it."""

    class Door(Handler):
        @on("joined")
        async def joined(self, ctx: Context, data: dict[str, str]) -> None:
            """Greet."""
            assert ctx.event.room is not None
            await ctx.say(ctx.event.room.address, f"from {data['by']}")

    stage = Stage(Door())
    event = Event("E1", "joined", 1.0, "test", Room("test", "#room"), data={"by": "ada"})

    assert await stage.robot.handle(event)
    assert [r.text for r in await stage.robot.handle(event)] == ["from ada"]


async def test_only_the_listener_that_failed_is_tried_again() -> None:
    """An event remembers which, as a message does."""
    stage = Stage(Ear())
    run = await stage.robot.carry_out(Event("E1", "broken", 1.0, body='{"app":"x"}'))
    again = run.try_again(lambda: 0.0)
    assert again is not None
    event = again[1]
    assert isinstance(event, Event)

    assert event.only == ("ear.broken",)
    assert [call.name for call in stage.robot.begin(event).calls] == ["ear.broken"]


async def test_the_bot_tells_what_it_did_not_do() -> None:
    """A command that nobody knows, and one that was refused, are events on this node."""

    class Watch(Handler):
        @command("open", groups={"ops"})
        async def open(self, ctx: Context) -> None:
            """open -- open the door"""

        @on("message unhandled")
        async def unknown(self, ctx: Context, data: dict[str, str]) -> None:
            """Tell."""
            await ctx.say("test/#log", f"unknown: {data['text']}")

        @on("route denied")
        async def denied(self, ctx: Context, data: dict[str, Any]) -> None:
            """Tell."""
            await ctx.say("test/#log", f"{ctx.user.id} denied: {data['route']}")

    stage = Stage(Watch())

    assert (await stage.say("hachat sing"))[1:] == ["unknown: sing"]
    assert (await stage.say("hachat open"))[1:] == ["alice denied: watch.open"]


@pytest.mark.parametrize("event", ["", " _ ", "x" * 101, None, 5])
def test_names_are_checked(event: Any) -> None:
    """An event without a name is refused where it is declared."""
    with pytest.raises(HandlerError, match="@on on"):

        class Some(Handler):
            @on(event)
            async def some(self, ctx: Context) -> None: ...


def test_a_start_up_job_is_a_job() -> None:
    """It takes the options of one, and no data."""

    class Morning(Handler):
        @startup
        async def hello(self, ctx: Context) -> None: ...

        @startup(retry="never")
        async def once(self, ctx: Context, data: int = 0) -> None: ...

    routes = bind(Morning())
    assert all(isinstance(route, JobRoute) and route.startup for route in routes)
    assert [route.policy.retry for route in routes] == ["backoff", "never"]

    class Wrong(Handler):
        @startup
        async def hello(self, ctx: Context, data: int) -> None: ...

    with pytest.raises(HandlerError, match="a start gives no data"):
        bind(Wrong())
    assert getattr(Wrong.hello, DECLARED)


async def test_contexts_without_an_event_say_so() -> None:
    """Whoever asks for it in a command learns what to use."""

    class Asks(Handler):
        @command("ask")
        async def ask(self, ctx: Context) -> None:
            """ask -- ask for the event"""
            with pytest.raises(TypeError, match=r"ctx\.message"):
                _ = ctx.event

            await ctx.reply("asked")

    assert await Stage(Asks()).say("hachat ask") == ["asked"]
