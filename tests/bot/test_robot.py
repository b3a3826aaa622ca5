"""Handlers run, and whatever they do stays between them and the user."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from hachat import Context, Handler, command, hear, hook
from hachat.bot.access import Access
from hachat.core.access import AccessSettings
from hachat.core.errors import HandlerError, TooOld
from hachat.core.messages import Message, Room, User, Webhook
from hachat.core.settings import Unknown
from tests.bot.stage import Stage

ID = "M1"
WRONG = f"Sorry, that went wrong (id {ID}). I will try again."
LATE = f"Sorry, that took too long (id {ID})."


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What has been logged."""
    with capture_logs() as lines:
        yield lines


class Zoo(Handler):
    """Everything a handler may do, and may not."""

    def __init__(self) -> None:
        self.entered = trio.Event()
        self.go_on = threading.Event()
        self.context: Context | None = None

    @command(r"echo (?P<text>.+)")
    async def echo(self, ctx: Context, text: str) -> None:
        """echo TEXT -- say TEXT"""
        await ctx.reply(text)

    @command("where")
    def where(self, ctx: Context) -> None:
        """where -- tell the thread"""
        ctx.reply(threading.current_thread().name)

    @command(r"fail (?P<how>\w+)")
    async def fail(self, ctx: Context, how: str) -> None:
        """fail HOW -- say something, then raise"""
        await ctx.reply("so far")
        if how == "exit":
            sys.exit("bye")
        if how == "group":
            raise ExceptionGroup("two", [ValueError("one"), KeyError("two")])
        raise ValueError(how)

    @command("break")
    def break_(self, ctx: Context) -> None:
        """break -- raise in a thread"""
        ctx.reply("so far")
        raise ValueError("thread")

    @command("hang")
    async def hang(self, ctx: Context) -> None:
        """hang -- never end"""
        await ctx.reply("so far")
        self.context = ctx
        self.entered.set()
        await trio.sleep_forever()

    @command("block")
    def block(self, ctx: Context) -> None:
        """block -- wait in a thread"""
        self.context = ctx
        trio.from_thread.run_sync(self.entered.set)
        self.go_on.wait(10)
        ctx.reply("unblocked")

    @command("mixed")
    async def mixed(self, ctx: Context) -> None:
        """mixed -- fail and be cancelled in one go"""

        async def fail_when_cancelled() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("on the way out")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_when_cancelled)
            nursery.start_soon(trio.sleep_forever)
            self.entered.set()

    @command("secret", groups={"ops"})
    async def secret(self, ctx: Context) -> None:
        """secret -- for few"""
        await ctx.reply("42")

    @hear("boom")
    async def boom(self, ctx: Context) -> None:
        """Fail at a word."""
        raise ValueError("boom")

    @hook.post("/deployed/<app>")
    async def deployed(self, ctx: Context, app: str, event: dict[str, int]) -> None:
        """Announce."""
        await ctx.say("irc/#ops", f"{app} {event['version']}")


async def test_async_handler() -> None:
    """An async handler is run with its arguments, and its replies are returned."""
    stage = Stage(Zoo())
    assert await stage.say("hachat echo hello there") == ["hello there"]
    assert stage.replies[0].id == "M1/zoo.echo/1"
    assert stage.replies[0].room == "test/#room"


async def test_sync_handler_runs_in_a_thread() -> None:
    """A handler that is not async cannot hold up the loop."""
    (name,) = await Stage(Zoo()).say("hachat where")
    assert name != threading.current_thread().name


async def test_loop_turns_while_a_handler_blocks(nursery: trio.Nursery) -> None:
    """Others are answered while a thread waits, and the thread's own reply comes in the end."""
    zoo = Zoo()
    stage = Stage(zoo)
    nursery.start_soon(stage.say, "hachat block")
    await zoo.entered.wait()
    assert await stage.say("hachat echo hello") == ["hello"]
    zoo.go_on.set()


async def test_threads_are_bounded(nursery: trio.Nursery) -> None:
    """No more handlers than allowed are in threads; the next one waits its turn."""
    zoo = Zoo()
    stage = Stage(zoo, threads=1)
    nursery.start_soon(stage.say, "hachat block")
    await zoo.entered.wait()
    nursery.start_soon(stage.say, "hachat where")
    await trio.testing.wait_all_tasks_blocked()
    assert stage.robot._limiter.statistics().tasks_waiting == 1
    zoo.go_on.set()


async def test_matching_routes_run_together(autojump_clock: trio.testing.MockClock) -> None:
    """Every route that matches is run at once; their replies come route by route."""

    class Slow(Handler):
        @hear("go")
        async def one(self, ctx: Context) -> None:
            await trio.sleep(2)
            await ctx.reply("one")

        @hear("go")
        async def two(self, ctx: Context) -> None:
            await trio.sleep(1)
            await ctx.reply("two")

    start = trio.current_time()
    assert await Stage(Slow()).say("go") == ["one", "two"]
    assert trio.current_time() - start == pytest.approx(2)


@pytest.mark.parametrize("how", ["fail plainly", "fail exit", "fail group", "break"])
async def test_errors_are_contained(how: str, logged: list[Any]) -> None:
    """Whatever a handler raises becomes one line for the user and one trace in the log; replies before it are kept."""
    stage = Stage(Zoo(), node="alpha")
    assert await stage.say(f"hachat {how}") == ["so far", WRONG]
    assert stage.replies[-1].id == "M1/robot/1"
    (line,) = logged
    assert line["event"] == "a handler failed"
    assert (line["message"], line["node"], line["log_level"]) == (ID, "alpha", "error")
    assert line["route"] in ("zoo.fail", "zoo.break_")
    assert isinstance(line["exc_info"], BaseException)


async def test_one_apology_a_message(logged: list[Any]) -> None:
    """Two routes that fail make two traces and one line for the user; the others go on."""

    class Also(Handler):
        @hear("boom")
        async def fail(self, ctx: Context) -> None:
            raise KeyError("also")

        @hear("boom")
        async def work(self, ctx: Context) -> None:
            await ctx.reply("fine")

    assert await Stage(Zoo(), Also()).say("boom") == ["fine", WRONG]
    assert {line["route"] for line in logged} == {"zoo.boom", "also.fail"}


async def test_deadline(autojump_clock: trio.testing.MockClock, logged: list[Any]) -> None:
    """A handler that takes too long is cancelled; what it said is kept, and the user is told."""
    zoo = Zoo()
    stage = Stage(zoo, timeout=30)
    start = trio.current_time()
    assert await stage.say("hachat hang") == ["so far", LATE]
    assert trio.current_time() - start == pytest.approx(30)
    assert logged[0]["event"] == "a handler took too long"
    assert zoo.context is not None
    with pytest.raises(RuntimeError, match=r"zoo\.hang has ended"):
        zoo.context.reply("too late")


async def test_deadline_can_change(autojump_clock: trio.testing.MockClock) -> None:
    """A changed deadline and changed aliases hold for the next message."""
    stage = Stage(Zoo(), timeout=30)
    stage.robot.configure(["!"], 5)
    start = trio.current_time()
    assert await stage.say("!hang") == ["so far", LATE]
    assert trio.current_time() - start == pytest.approx(5)


async def test_deadline_leaves_a_thread_behind() -> None:
    """A thread cannot be stopped, so it is left behind: its place stays taken and its reply is refused."""
    zoo = Zoo()
    stage = Stage(zoo, timeout=0.05)
    assert await stage.say("hachat block") == [LATE]
    limiter = stage.robot._limiter
    assert limiter.borrowed_tokens == 1
    assert zoo.context is not None
    with pytest.raises(RuntimeError, match=r"zoo\.block has ended"):
        zoo.context.reply("too late")
    zoo.go_on.set()
    with trio.fail_after(5):
        async with limiter:
            while limiter.borrowed_tokens > 1:
                await trio.lowlevel.checkpoint()


async def test_failure_while_being_cancelled(
    autojump_clock: trio.testing.MockClock, logged: list[Any]
) -> None:
    """Of a group of errors and cancels, the errors are logged and the cancels do their work."""
    assert await Stage(Zoo(), timeout=1).say("hachat mixed") == [f"{LATE} I will try again."]
    assert [line["event"] for line in logged] == ["a handler failed", "a handler took too long"]


@pytest.mark.parametrize("text", ["hachat hang", "hachat mixed", "hachat block"])
async def test_cancel_passes_through(text: str, logged: list[Any]) -> None:
    """A cancel from outside is nobody's failure: nothing is answered and nothing goes on."""
    zoo = Zoo()
    stage = Stage(zoo)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.say, text)
            await zoo.entered.wait()
            scope.cancel()
    zoo.go_on.set()
    assert scope.cancelled_caught
    assert not stage.replies
    assert all(line["event"] == "a handler failed" for line in logged)


async def test_interrupts_are_not_contained() -> None:
    """Ctrl-C is the operator's, not the handler's."""

    class Interrupted(Handler):
        @command("x")
        async def x(self, ctx: Context) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await Stage(Interrupted()).say("hachat x")


async def test_faulty_arguments() -> None:
    """A value that does not convert is told to the user; the handler is not run and nothing is logged as failed."""

    class Wait(Handler):
        @command(r"wait (?P<seconds>\S+)")
        async def wait(self, ctx: Context, seconds: float) -> None:
            raise AssertionError

    assert await Stage(Wait()).say("hachat wait long") == ['seconds must be a number, not "long".']


async def test_groups() -> None:
    """A command for groups is refused unless the sender is permitted, and the sender is told."""
    assert await Stage(Zoo()).say("hachat secret", user="ada") == [
        "You may not do that: it is for ops."
    ]
    stage = Stage(Zoo(), access=Access(AccessSettings(groups={"ops": ("test/ada",)})))
    assert await stage.say("hachat secret", user="bob") == ["You may not do that: it is for ops."]
    assert await stage.say("hachat secret", user="ada") == ["42"]


@pytest.mark.parametrize(
    ("text", "private", "said"),
    [
        ("hachat hnag", False, ['I do not know "hnag". Did you mean "hachat hang"?']),
        ("hnag", True, ['I do not know "hnag". Did you mean "hang"?']),
        ("!hnag", False, []),
        ("hnag", False, []),
        ("I met hachat today", False, []),
        ("hachat:", False, ['Yes? Try "hachat help".']),
    ],
)
async def test_unknown_commands(text: str, private: bool, said: list[str]) -> None:  # noqa: FBT001 - a table
    """Who calls the bot is answered; chatter, and signs that other bots use too, are left alone."""
    assert await Stage(Zoo(), aliases=["!"]).say(text, private=private) == said


@pytest.mark.parametrize(
    ("unknown", "rooms"),
    [("answer", ["test/#room"]), ("private", ["test/@alice"]), ("quiet", [])],
)
async def test_where_unknown_commands_are_answered(unknown: Unknown, rooms: list[str]) -> None:
    """As the settings say, from one moment to the next; whoever is alone with the bot is always answered."""
    stage = Stage(Zoo())
    stage.robot.services.unknown = unknown

    for text in ("hachat hnag", "hachat:"):
        stage.replies.clear()
        await stage.say(text)
        assert [reply.room for reply in stage.replies] == rooms
    assert len(await stage.say("hnag", private=True)) == 1


async def test_own_words_are_not_heard() -> None:
    """The bot does not answer itself."""
    assert await Stage(Zoo()).say("hachat echo hello", user="HaChat") == []


async def test_webhook() -> None:
    """A webhook reaches its route with the path's values and its body."""
    stage = Stage(Zoo())
    assert await stage.request("POST", "/deployed/web", {"version": 3}) == ["web 3"]
    assert (stage.replies[0].id, stage.replies[0].room) == ("M1/zoo.deployed/1", "irc/#ops")


@pytest.mark.parametrize("body", ["", "{}", '{"version": "x"}'])
async def test_webhook_that_fails(body: str, logged: list[Any]) -> None:
    """A webhook has nobody to apologise to; its failure is in the log."""
    webhook = Webhook("W1", "zoo.deployed", "POST", "/deployed/web", 0.0, body, {"app": "web"})
    assert await Stage(Zoo()).robot.handle(webhook) == []
    assert [(line["message"], line["route"]) for line in logged] == [("W1", "zoo.deployed")]


async def test_webhook_for_nobody() -> None:
    """A webhook whose handler this node lacks is not passed off as handled."""
    webhook = Webhook("W1", "gone.deployed", "POST", "/deployed", 0.0)
    with pytest.raises(HandlerError, match=r"has the route gone\.deployed"):
        await Stage(Zoo()).robot.handle(webhook)


async def test_what_was_said_too_long_ago_is_not_answered() -> None:
    """Who gave a command is told to say it again; what was only heard is passed over."""

    class Ears(Handler):
        @command("open", age=60)
        async def open(self, ctx: Context) -> None:
            ctx.reply("open")

        @hear("open", age=60)
        async def overhear(self, ctx: Context) -> None:
            ctx.reply("heard")

    message = Message("M9", Room("test", "r"), User("u"), "hachat open", at=1000.0)
    in_time = await Stage(Ears(), now=lambda: 1060.0).robot.handle(message)
    late = await Stage(Ears(), now=lambda: 1061.0).robot.handle(message)
    assert {reply.text for reply in in_time} == {"open", "heard"}
    assert [reply.text for reply in late] == [
        "That reached me too late (id M9); say it again if you still want it."
    ]


@pytest.mark.parametrize(("age", "seconds"), [(60.0, 60.0), (60.0, -5.0), (None, 1e9)])
async def test_a_webhook_that_is_not_too_old_is_handled(age: float | None, seconds: float) -> None:
    """Up to its route's limit, and without one at any age; also where another node's clock is ahead."""

    class Gate(Handler):
        @hook.post("/open", age=age)
        async def open(self, ctx: Context) -> None:
            ctx.say("irc/#ops", "open")

    webhook = Webhook("W1", "gate.open", "POST", "/open", 1000.0)
    (reply,) = await Stage(Gate(), now=lambda: 1000.0 + seconds).robot.handle(webhook)
    assert reply.text == "open"


async def test_a_webhook_that_is_too_old_is_refused() -> None:
    """Beyond its route's limit it is not run; the reason tells how old it is, and what the route takes."""

    class Gate(Handler):
        @hook.post("/open", age=60)
        async def open(self, ctx: Context) -> None:
            raise AssertionError

    webhook = Webhook("W1", "gate.open", "POST", "/open", 1000.0)
    with pytest.raises(TooOld, match=r"it is 61 s old; gate\.open takes none older than 60 s"):
        await Stage(Gate(), now=lambda: 1061.0).robot.handle(webhook)


async def test_a_webhook_on_the_stage_is_new() -> None:
    """Whoever tests a handler with an age limit finds it run."""

    class Gate(Handler):
        @hook.post("/open", age=60)
        async def open(self, ctx: Context) -> None:
            ctx.say("irc/#ops", "open")

    assert await Stage(Gate()).request("POST", "/open") == ["open"]


async def test_replies_keep_their_ids() -> None:
    """A message handled twice is answered under the same ids, in its thread."""
    message = Message("M9", Room("test", "r"), User("u"), "hachat echo x", at=0.0, thread="T")
    stage = Stage(Zoo())
    first, second = await stage.robot.handle(message), await stage.robot.handle(message)
    assert first == second
    assert (first[0].id, first[0].thread, first[0].about) == ("M9/zoo.echo/1", "T", "M9")


async def test_the_bot_knows_itself_by_its_id() -> None:
    """Where a service tells it its id, that says who is the bot, and a user who has its name is somebody else."""
    stage = Stage(Zoo())
    room = Room("slack", "C1")

    async def say(user: str, text: str) -> list[str]:
        message = Message("M1", room, User(user), text, sys.maxsize, me="U1")
        return [reply.text for reply in await stage.robot.handle(message)]

    assert await say("hachat", "<@U1> echo x") == ["x"]
    assert await say("U1", "hachat echo x") == []
