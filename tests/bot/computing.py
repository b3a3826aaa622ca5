"""Handlers whose methods are run in another process."""

from __future__ import annotations

import os
import signal
import time

import msgspec

from hachat import Context, Duration, Handler, Retry, User, command, hook


class Chosen(msgspec.Struct, frozen=True):
    """What can be set."""

    greeting: str = "hello"


class Body(msgspec.Struct, frozen=True):
    """What a webhook brings."""

    number: int


class Computing(Handler):
    """Does what it is told, elsewhere."""

    Settings = Chosen

    def __init__(self, settings: Chosen) -> None:
        self.settings = settings

    @command(r"greet (?P<who>\w+) (?P<times>\d+) (?P<span>\w+)", run="process")
    def greet(self, ctx: Context, who: User, times: int, span: Duration) -> None:
        """greet WHO TIMES SPAN -- say hello, in several ways"""
        ctx.log.warning("greeting", who=who.id, odd=object)
        handle = ctx.reply(f"{self.settings.greeting} {who.id}, {times + 1}, {span / 2}")
        ctx.edit(handle, f"{ctx.args[0]} by {ctx.user.id} in {ctx.room.id}, {ctx.text}")
        ctx.say("test/#other", type(span).__name__)

    @command("pid", run="process")
    def pid(self, ctx: Context) -> None:
        """pid -- tell which process this is"""
        ctx.reply(str(os.getpid()))

    @command("fail", run="process")
    def fail(self, ctx: Context) -> None:
        """fail -- say something, then fail"""
        ctx.reply("about to fail")
        raise ValueError("no luck")

    @command("later", run="process")
    def later(self, ctx: Context) -> None:
        """later -- want to be run again"""
        raise Retry("not now", after=7.0)

    @command("ask", run="process")
    def ask(self, ctx: Context) -> None:
        """ask -- do what cannot be done there"""
        ctx.questions.ask("Well?")

    @command("die", run="process")
    def die(self, ctx: Context) -> None:
        """die -- end the process"""
        os.kill(os.getpid(), signal.SIGKILL)

    @command("spin", run="process", timeout=1.0, retry="never")
    def spin(self, ctx: Context) -> None:
        """spin -- compute for a minute"""
        end = time.monotonic() + 60.0
        while time.monotonic() < end:
            pass

    @command("sure", run="process", confirm=True)
    def sure(self, ctx: Context) -> None:
        """sure -- be asked before"""
        ctx.reply("sure")

    @hook.post("/compute", run="process")
    def compute(self, ctx: Context, body: Body) -> None:
        """Compute."""
        ctx.say("test/#room", str(body.number + 1))
