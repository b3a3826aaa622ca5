"""What is to be awaited is refused where nobody could."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from hachat import Context, Handler, command
from hachat.testing import Driver, handlers


class Plain(Handler):
    """Has methods that are not async, and forgets it."""

    @command("confirm")
    def confirm(self, ctx: Context) -> None:
        """confirm -- do what nobody has said yes to"""
        if ctx.confirm("Really?"):
            ctx.reply("done")

    @command("look")
    def look(self, ctx: Context) -> None:
        """look -- take a promise for a value"""
        ctx.reply(f"{ctx.memory.get('key')}")

    @command("fine")
    def fine(self, ctx: Context) -> None:
        """fine -- do it as it is to be done"""
        ctx.memory.sync.set("key", 1)
        if ctx.questions.confirm("Really?"):
            ctx.reply(f"done {ctx.memory.sync.get('key')}")


@handlers(Plain)
@pytest.mark.parametrize("text", ["confirm", "look"])
async def test_a_promise_is_no_answer(bot: Driver, text: str) -> None:
    """The method fails before it takes one for a yes, or says it."""
    (said,) = await bot.say(f"hachat {text}")
    assert said.startswith("Sorry, that went wrong")


@handlers(Plain)
async def test_methods_that_are_not_async_have_their_own(bot: Driver) -> None:
    """With the same result."""
    await bot.say("hachat fine")
    assert await bot.say("yes") == ["done 1"]


async def test_the_error_says_what_to_use() -> None:
    """It names the method, and what there is for threads."""
    context = Context.__new__(Context)
    for name, what in (
        ("ask", r"Asking\.ask"),
        ("find_user", r"Context\.find_user"),
        ("http", "ctx.http"),
    ):
        with pytest.raises(
            RuntimeError, match=rf"{what} is for methods that are async; .* ctx\.questions"
        ):
            await trio.to_thread.run_sync(partial(use, context, name))


def use(context: Context, name: str) -> None:
    """Do what whoever forgets the thread does."""
    getattr(context, name)("Well?")
