"""Middleware sees all that passes, in order, and one piece that fails is contained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from hachat import Context, Handler, Message, Refused, Reply, command, hear, hook, middleware, on
from hachat.bot.middleware import Proceed
from hachat.core.errors import HandlerError
from tests.bot.stage import Stage


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What has been logged."""
    with capture_logs() as lines:
        yield lines


class Echo(Handler):
    """Says what it is told."""

    @command(r"echo (?P<text>.+)")
    async def echo(self, ctx: Context, text: str) -> None:
        """echo TEXT -- say TEXT"""
        await ctx.reply(text)

    @command(r"thread (?P<text>.+)")
    def thread(self, ctx: Context, text: str) -> None:
        """thread TEXT -- say TEXT from a thread"""
        ctx.reply(text)

    @hook.post("/echo")
    async def hooked(self, ctx: Context) -> None:
        """Say that it was called."""
        await ctx.say("test/#room", "hooked")


class Marks(Handler):
    """Leaves its marks."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    @middleware.receive
    def receive(self, message: Message) -> Message:
        """Mark what is received."""
        return replace(message, text=f"{message.text}{self.mark}")

    @middleware.route
    async def around(self, ctx: Context, proceed: Proceed) -> None:
        """Speak before and after."""
        if "quiet" not in ctx.text:
            await ctx.say("test/#log", f"<{self.mark}")
        await proceed()
        if "quiet" not in ctx.text:
            await ctx.say("test/#log", f"{self.mark}>")

    @middleware.reply
    def reply(self, reply: Reply) -> Reply:
        """Mark what is replied."""
        return replace(reply, text=f"{reply.text}{self.mark.upper()}") if self.mark else reply


async def test_all_pass_in_order_of_loading() -> None:
    """The first sees it first, and stands outermost around a route."""
    stage = Stage(Marks("a"), Marks("b"), Echo())

    assert await stage.say("hachat echo x quiet") == ["x quietabAB"]
    assert await stage.say("hachat thread x quiet") == ["x quietabAB"]
    assert await stage.say("hachat echo x") == ["<aAB", "<bAB", "xabAB", "b>AB", "a>AB"]


class Teams(Handler):
    """Lets authors mark commands for teams."""

    @middleware.route
    async def around(self, ctx: Context, proceed: Proceed) -> None:
        """Refuse who is of another, and tell the method which it is."""
        team = ctx.extensions.get("team")
        if team is not None and team != ctx.user.id[0]:
            raise Refused(f"That is for team {team}.")
        ctx.extensions["seen"] = True
        await proceed()

    @command("plan", extensions={"team": "b"})
    async def plan(self, ctx: Context) -> None:
        """plan -- tell what was left for it"""
        await ctx.reply(f"{ctx.extensions}")

    @hear("news", extensions={"team": "a"})
    async def news(self, ctx: Context) -> None:
        """Hear of them."""
        await ctx.reply("news!")


async def test_routes_have_options_for_it() -> None:
    """And what it leaves is there for the method, of this call alone."""
    stage = Stage(Teams())

    assert await stage.say("hachat plan", user="alice") == ["That is for team b."]
    for _ in range(2):
        assert await stage.say("hachat plan", user="bob") == ["{'team': 'b', 'seen': True}"]
    assert await stage.say("news?", user="alice") == ["news!"]


async def test_it_stands_around_webhooks_too() -> None:
    """Every call of a route passes."""
    stage = Stage(Marks("a"), Echo())

    assert await stage.request("POST", "/echo") == ["<aA", "hookedA", "a>A"]


class Censor(Handler):
    """Lets little pass."""

    @middleware.receive
    def receive(self, message: Message) -> Message | None:
        """Drop what is secret."""
        return None if "secret" in message.text else message

    @middleware.route
    async def around(self, ctx: Context, proceed: Proceed) -> None:
        """Refuse, or swallow."""
        if "refuse" in ctx.text:
            raise Refused("Not today.")
        if "swallow" not in ctx.text:
            await proceed()

    @middleware.reply
    def reply(self, reply: Reply) -> Reply | None:
        """Drop what is rude, and empty what is empty."""
        return None if "rude" in reply.text else replace(reply, text=reply.text.strip("_"))


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("hello", ["hello"]),
        ("secret", []),
        ("refuse", ["Not today."]),
        ("swallow", []),
        ("rude", []),
        ("___", []),
    ],
)
async def test_it_may_drop_and_refuse(said: str, heard: list[str]) -> None:
    """At each point it decides what goes on."""
    stage = Stage(Censor(), Echo())

    assert await stage.say(f"hachat echo {said}") == heard


class Broken(Handler):
    """Does everything wrong."""

    @middleware.receive
    def receive(self, message: Message) -> Message:
        """Fail, or meddle."""
        if "meddle" in message.text:
            return replace(message, id="another")
        if "type" in message.text:
            return message.text  # type: ignore[return-value]
        raise ValueError("receive")

    @middleware.reply
    def reply(self, reply: Reply) -> Reply:
        """Fail, or meddle."""
        if "meddle" in reply.text:
            return replace(reply, room="test/#other")
        raise ValueError("reply")


@pytest.mark.parametrize("said", ["hello", "meddle", "type"])
async def test_what_fails_is_passed_over(said: str, logged: list[Any]) -> None:
    """A piece that fails or meddles changes nothing, and the log names it."""
    stage = Stage(Broken(), Echo())

    assert await stage.say(f"hachat echo {said}") == [said]
    assert [reply.room for reply in stage.replies] == ["test/#room"]
    failed = [line["route"] for line in logged if line["event"].startswith("middleware failed")]
    assert failed == ["broken.receive", "broken.reply"]


async def test_what_fails_around_a_route_fails_the_route() -> None:
    """It is tried again, as if the handler had failed."""

    class Trip(Handler):
        @middleware.route
        async def around(self, ctx: Context, proceed: Proceed) -> None:
            """Fail."""
            raise OSError("around")

    assert await Stage(Trip(), Echo()).say("hachat echo x") == [
        "Sorry, that went wrong (id M1). I will try again."
    ]


async def test_it_stands_around_listeners() -> None:
    """What an event runs is a call of a route."""

    class Listener(Handler):
        @on("there")
        async def hear(self, ctx: Context) -> None:
            """Tell."""
            await ctx.say("test/#room", "heard")

    assert await Stage(Marks("a"), Listener()).happen("there") == ["<aA", "heardA", "a>A"]


def test_declarations_are_checked() -> None:
    """An author hears at once what is wrong."""

    async def wait(self: object, message: Message) -> Message:
        return message

    def plain(self: object, ctx: Context, proceed: Proceed) -> None: ...

    def few(self: object) -> None: ...

    for declare, method, fault in (
        (middleware.receive, wait, "plain method"),
        (middleware.reply, wait, "plain method"),
        (middleware.route, plain, "async"),
        (middleware.receive, few, r"few\(self, message\)"),
        (middleware.reply, few, r"few\(self, reply\)"),
    ):
        with pytest.raises(HandlerError, match=fault):
            declare(method)
