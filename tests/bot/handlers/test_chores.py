"""Jobs and dead letters, told in chat."""

from __future__ import annotations

from hachat import Context, Handler, command, job
from hachat.bot.handlers.chores import Chores
from hachat.core.settings import QueueSettings
from hachat.store.dead import DeadLetters
from hachat.store.jobs import Jobs
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.testing.driver import drive


class Kitchen(Handler):
    """Sets timers, and fails."""

    @command(r"tea in (?P<delay>\w+)")
    async def tea(self, ctx: Context, delay: str) -> None:
        """tea in DELAY -- make some"""
        await ctx.after(delay, "ready", data=ctx.room.address, name="tea")

    @job
    async def ready(self, ctx: Context, room: str) -> None:
        """Say so."""
        await ctx.say(room, "tea!")

    @command("burn", retry="never")
    async def burn(self, ctx: Context) -> None:
        """burn -- fail"""
        raise OSError("fire")


async def test_jobs_are_listed_and_cancelled(link: Link, keys: Keys) -> None:
    """Those that are due next; whoever is no admin cancels none."""
    chores = Chores(Jobs(link, keys), DeadLetters(link, keys, QueueSettings()))
    async with drive(link, keys, [chores, Kitchen()], groups={"admins": ["ada"]}) as bot:
        assert await bot.say("hachat jobs") == ["No job waits."]
        await bot.say("hachat tea in 10m")
        (listed,) = await bot.say("hachat jobs")
        assert listed == "in 10 min: kitchen.ready (kitchen/tea)"
        refused = ["You may not do that: it is for admins."]
        assert await bot.say("hachat jobs cancel kitchen/tea") == refused
        ada = bot.as_user("ada")
        assert await ada.say("hachat jobs cancel kitchen/tea") == ["kitchen/tea is cancelled."]
        assert await ada.say("hachat jobs cancel kitchen/tea") == ["No job waits as kitchen/tea."]
        assert await bot.advance("1h") == []


async def test_dead_letters_are_listed_and_retried(link: Link, keys: Keys) -> None:
    """By admins; what cannot be done is told."""
    chores = Chores(Jobs(link, keys), DeadLetters(link, keys, QueueSettings()))
    async with drive(link, keys, [chores, Kitchen()], groups={"admins": ["ada"]}) as bot:
        ada = bot.as_user("ada")
        assert await ada.say("hachat dead") == ["Nothing was given up."]
        await bot.say("hachat burn")
        (listed,) = await ada.say("hachat dead")
        entry, _, why = listed.partition(": ")
        assert why.startswith("test/#room, ")
        assert "It is tried once more." in await ada.say(f"hachat dead retry {entry}")
        assert await ada.say(f"hachat dead retry {entry}") == [f"There is no {entry} any more."]
        (told,) = await ada.say("hachat dead retry never")
        assert told.startswith("That cannot be done: ")
