"""Jobs and dead letters, told in chat."""

from __future__ import annotations

import re

from hachat import Context, Handler, command, job
from hachat.bot.handlers.chores import JOBS, LETTERS, Chores
from hachat.core.errors import StoreUnavailable
from hachat.core.messages import Message, Room, User
from hachat.core.settings import QueueSettings
from hachat.store.commits import Later
from hachat.store.dead import DeadLetters
from hachat.store.jobs import Agenda, Jobs
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.testing.driver import drive
from tests.store.letters import WHY, bury, reply


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


async def test_schedules_are_listed_among_the_jobs(link: Link, keys: Keys) -> None:
    """By their routes, in the order in which they are due."""
    jobs = Jobs(link, keys)
    chores = Chores(jobs, DeadLetters(link, keys, QueueSettings()))
    async with drive(link, keys, [chores, Kitchen()]) as bot:
        await bot.say("hachat tea in 10m")
        now = await jobs.now()
        upcoming = {
            "kitchen.wash": now + 10_700_000,
            "kitchen.open": now + 90_000,
            "kitchen.old": None,
        }
        await jobs.announce(upcoming)
        (listed,) = await bot.say("hachat jobs")

    first, second, third = listed.splitlines()
    assert first.endswith(": kitchen.open, by its schedule")
    assert second == "in 10 min: kitchen.ready (kitchen/tea)"
    assert third == "in 3 h: kitchen.wash, by its schedule"


async def test_dead_letters_are_listed_and_retried(link: Link, keys: Keys) -> None:
    """By admins; what cannot be done is told."""
    chores = Chores(Jobs(link, keys), DeadLetters(link, keys, QueueSettings()))
    async with drive(link, keys, [chores, Kitchen()], groups={"admins": ["ada"]}) as bot:
        ada = bot.as_user("ada")
        assert await ada.say("hachat dead") == ["Nothing was given up."]
        await bot.say("hachat burn")
        (listed,) = await ada.say("hachat dead")
        count, letter = listed.splitlines()
        entry, age, why = re.split(r"(, \d+ s ago: )", letter)
        assert count == "dead letters: 1"
        assert age
        assert why.startswith("test/#room, ")
        assert "It is tried once more." in await ada.say(f"hachat dead retry {entry}")
        assert await ada.say(f"hachat dead retry {entry}") == [f"There is no {entry} any more."]
        (told,) = await ada.say("hachat dead retry never")
        assert told.startswith("That cannot be done: ")


async def test_only_so_many_are_listed(link: Link, keys: Keys) -> None:
    """The jobs that are due first, and the letters that are newest, whose number is told."""
    chores = Chores(Jobs(link, keys), DeadLetters(link, keys, QueueSettings()))
    async with drive(link, keys, [chores], groups={"admins": ["ada"]}) as bot:
        ada = bot.as_user("ada")
        for number in range(JOBS + 1):
            await Jobs(link, keys).schedule(later(f"j{number}", 3590 + number))
        entries = [await bury(link, keys, reply(number)) for number in range(LETTERS + 2)]

        (listed,) = await bot.say("hachat jobs")
        jobs = [f"in 60 min: a message, once more (j{number})" for number in range(JOBS)]
        assert listed.splitlines() == [*jobs, "and more"]
        (listed,) = await ada.say("hachat dead")
        first, *letters = re.sub(r", \d+ s ago", "", listed).splitlines()
        assert first == f"dead letters: {LETTERS + 2}"
        assert letters == [f"{entry}: t/ops, {WHY}" for entry in reversed(entries)][:LETTERS]


async def test_reasons_are_made_fit_to_be_shown(link: Link, keys: Keys) -> None:
    """On one line, and not at any length."""
    chores = Chores(Jobs(link, keys), DeadLetters(link, keys, QueueSettings()))
    async with drive(link, keys, [chores], groups={"admins": ["ada"]}) as bot:
        await bury(link, keys, reply(1), why="a\n\x1b[2J" + "x" * 1000)
        (listed,) = await bot.as_user("ada").say("hachat dead")
        _, letter = listed.splitlines()
        assert "t/ops, a\\n\\x1b[2Jxxx" in letter
        assert letter.endswith("xxx...")
        assert len(letter) < 300


def later(name: str, delay: float) -> Later:
    """Return what bob said in private, to be tried again."""
    room = Room("test", "bob", private=True)
    return Later(name, delay, "chat", Message(name, room, User("bob"), "psst", 1.0))


class JobsAway(Jobs):
    """Jobs in a Redis that does not answer."""

    async def agenda(self, most: int = 1000) -> Agenda:
        """Fail."""
        raise StoreUnavailable(f"no answer, nor {most} jobs")

    async def cancel(self, job_id: str) -> bool:
        """Fail."""
        raise StoreUnavailable(f"no answer about {job_id}")


class LettersAway(DeadLetters):
    """Dead letters in a Redis that does not answer."""

    async def count(self) -> int:
        """Fail."""
        raise StoreUnavailable("no answer")

    async def retry(self, entry: str, by: str) -> bool:
        """Fail."""
        raise StoreUnavailable(f"no answer about {entry} to {by}")


async def test_without_redis(link: Link, keys: Keys) -> None:
    """That is said in words, and not tried again."""
    chores = Chores(JobsAway(link, keys), LettersAway(link, keys, QueueSettings()))
    async with drive(link, keys, [chores], groups={"admins": ["ada"]}) as bot:
        for text in ("jobs", "jobs cancel tea", "dead", "dead retry 1-0"):
            said = await bot.as_user("ada").say(f"hachat {text}")
            assert said == ["Redis does not answer me, so I cannot tell right now."]
