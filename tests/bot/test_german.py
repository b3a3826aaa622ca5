"""What a German bot says by itself: nothing of it is English."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest
import structlog

from hachat import Anybody, Confirm, Context, Duration, Handler, User, command
from hachat.bot.access import Access
from hachat.bot.handlers.about import About
from hachat.bot.handlers.auth import Auth
from hachat.bot.handlers.chores import describe_agenda, describe_letter
from hachat.bot.handlers.cluster import Cluster
from hachat.bot.handlers.help import Help
from hachat.bot.handlers.info import Info
from hachat.bot.handlers.people import People
from hachat.bot.handlers.ping import Ping
from hachat.bot.handlers.presence import Presence
from hachat.bot.handlers.stepdown import StepDown
from hachat.bot.texts import own_texts
from hachat.core.access import AccessSettings
from hachat.core.errors import StoreUnavailable
from hachat.core.messages import Message, Room
from hachat.core.settings import QueueSettings
from hachat.core.stepdown import Order
from hachat.daemon.stepdown import Moved
from hachat.store.jobs import Agenda, Waiting
from hachat.store.letter import Letter
from hachat.store.limits import find_full_lanes, warn_of_dead
from hachat.store.status import NodeStatus, QueueStatus, Status
from tests.bot.stage import Stage


class Deploys(Handler):
    """Zeigt, was ein Handler fragt und gefragt wird."""

    @command(r"deploy (?P<app>\w+)", rate="1/1h", groups={"ops"})
    async def deploy(self, ctx: Context, app: str, *, count: int = 1, fast: bool = False) -> None:
        """deploy APP -- liefert aus"""
        await ctx.reply(f"{app} {count} {fast}")

    @command(r"wait (?P<delay>\S+)")
    async def wait(self, ctx: Context, delay: Duration) -> None:
        """wait DELAY -- wartet"""
        await ctx.reply(f"{delay:g}")

    @command(r"greet (?P<whom>.+)")
    async def greet(self, ctx: Context, whom: User) -> None:
        """greet WHOM -- grüßt"""
        await ctx.reply(whom.name)

    @command("fail")
    async def fail(self, ctx: Context) -> None:
        """fail -- scheitert"""
        raise OSError("kaputt")

    @command("fail once", retry="never")
    async def fail_once(self, ctx: Context) -> None:
        """fail once -- scheitert"""
        raise OSError("kaputt")

    @command("ask")
    async def ask(self, ctx: Context) -> None:
        """ask -- fragt"""
        number = await ctx.ask("Wie viele?", type=int)
        share = await ctx.ask("Welcher Teil?", type=float)
        color = await ctx.choose("Welche Farbe?", ["rot", "blau"])
        sure = await ctx.confirm("Sicher?")
        await ctx.reply(f"{number} {share} {color} {sure}")

    @command("drop", confirm=Confirm(within="1h", who=Anybody({"ops"}, others=True)))
    async def drop(self, ctx: Context) -> None:
        """drop -- wirft weg"""
        await ctx.reply("weg")


@dataclass
class Lease:
    """A cluster in trouble."""

    master: str = "n1"
    away: bool = False

    async def read(self) -> Status:
        """Return what there is to see of it."""
        if self.away:
            raise StoreUnavailable("no answer")
        limits = QueueSettings(depth=10)
        return Status(
            *("test", 0.0, self.master or None, 1, None, 0.0),
            nodes=[NodeStatus(name, role, 1, "", "1", 0.0) for name, role in ROLES],  # type: ignore[arg-type]
            inbound={"chat": QueueStatus(10, 3.0)},
            outbound=QueueStatus(0, None),
            dead_letters=9,
            full=[*find_full_lanes({"chat": 10}, limits)],
            warnings=[*warn_of_dead(9, 10)],
        )

    async def move(self, order: Order, leaver: str, patience: float) -> Moved:
        """Move the lease, if anybody is there."""
        return Moved(leaver, order.to or "n2", 1, 2, 0.012)


ROLES = (("n1", "master"), ("n2", "standby"), ("n3", "dead"))

ACCESS = AccessSettings(admins=("*/ada",), groups={"ops": ("*/ada", "*/bob")})

Talk = Callable[[Stage, Lease], Awaitable[list[str]]]


def make_stage(language: str, lease: Lease) -> Stage:
    """Return all there is to talk to."""

    async def read_version() -> str:
        if lease.away:
            raise StoreUnavailable("no answer")
        return "9"

    return Stage(
        *(Ping(), Help(), People(), Auth(), Info(read_version), Cluster(lease.read), About()),
        *(Presence(["nowhere"]), StepDown(lease.read, lease.move), Deploys()),
        language=language,
        node="n1",
        access=Access(ACCESS, say=own_texts(language).say),
    )


async def talk(stage: Stage, *lines: str, user: str = "ada", room: str = "test/#room") -> list[str]:
    """Say one line after the other, and return all that is said to that."""
    return [said for line in lines for said in await stage.say(line, user=user, room=room)]


async def say_everything(language: str) -> list[str]:
    """Talk with a bot about all that it knows, and return its lines."""
    lease = Lease()
    stage = make_stage(language, lease)
    said = await talk(stage, "hachat help", "hachat help auth", "hachat help nichts")
    said += await stage.say("hachat help", user="ada", private=True)
    said += await talk(stage, "hachat about", "hachat info", "hachat cluster")
    said += await talk(
        stage,
        *("hachat users find bob", "hachat users find zed", "hachat rooms", "hachat rooms zed"),
        *("hachat greet zed", "hachat greet b", "hachat join #dev", "hachat part #dev"),
        "hachat part",
        user="bob",
    )
    for user in ("bea", "ben"):
        await stage.say("hallo", user=user)
    said += await talk(stage, "hachat greet b", "hachat join #dev", "hachat part #dev")
    said += await talk(stage, "hachat part", "hachat join nowhere/#dev")
    said += await stage.say("hachat part", user="ada", private=True)
    for change in ("add", "remove"):
        for line in ("bob ops", "bea dev", "bea dev", "bea Ö", "bea admins", "zed dev", "be dev"):
            said += await stage.say(f"hachat auth {change} {line}", user="ada")
        said += await talk(stage, "hachat auth list", "hachat auth list none")
    said += await say_mistakes(stage)
    said += await answer_questions(stage)
    said += await move_the_lease(stage, lease)
    lease.away = True
    return said + await talk(stage, "hachat info", "hachat cluster", "hachat step-down", user="ada")


async def say_mistakes(stage: Stage) -> list[str]:
    """Say what the bot cannot do."""
    with structlog.testing.capture_logs():
        said = await talk(stage, "hachat fail", "hachat fail once")
    said += await talk(stage, "hachat", "hachat hlep", "hachat xyzzy", f"hachat {'x' * 4001}")
    said += await talk(stage, "hachat deploy web", user="eve")
    said += await talk(stage, "hachat deploy web --cuont 3", "hachat deploy web --what")
    said += await talk(stage, "hachat deploy web --count", "hachat deploy web --count=x")
    said += await talk(stage, "hachat deploy web --fast=perhaps", "hachat wait forever")
    said += await talk(stage, "hachat deploy web --fast=on", "hachat deploy web")
    late = Message("late", Room("test", "#room"), User("ada"), "hachat ping", at=time.time() - 900)
    return said + [reply.text for reply in await stage.robot.handle(late)]


async def answer_questions(stage: Stage) -> list[str]:
    """Ask, and answer wrongly, and not at all."""
    said = await talk(stage, "hachat ask", "viele", "3", "x", "0.5", "grün", "rot", "vielleicht")
    said += await talk(stage, "y", "hachat ask", "hachat ask", "cancel")
    said += await talk(stage, "hachat drop", "yes")
    said += await talk(stage, "yes", user="eve")
    said += await talk(stage, "no", user="bob")
    said += await talk(stage, "hachat drop")
    said += await stage.lapse()
    return said + await talk(stage, "hachat ask", "x" * 4001, "cancel")


async def move_the_lease(stage: Stage, lease: Lease) -> list[str]:
    """Have the master step down, or not."""
    said = await talk(stage, "hachat step-down", "no", "hachat step-down to n2", "yes")
    said += await talk(stage, "hachat step-down to n9", "hachat step-down to n1")
    lease.master = ""
    return said + await talk(stage, "hachat step-down", "hachat cluster")


SAME = re.compile(
    r"pong|bob|rot|Wie viele\?|Welche Farbe\? \(rot, blau\)|Welcher Teil\?|3 0\.5 rot True"
    r"|Python .*, Redis 9|web 1 True|test/\w+|\w+: Einstellungen"
    r"|.* - \w+( \w+)?|deploys - .*"  # the handler of this test says it itself
)
"""Lines that are the same in any language."""


async def test_nothing_is_english() -> None:
    """The same conversation in two languages has no line in common, but for names and numbers."""
    english, german = [await say_everything(language) for language in ("en", "de")]

    assert len(english) == len(german)
    assert len(english) > 80
    both = {line for said in english for line in said.splitlines()}
    leaked = [line for said in german for line in said.splitlines() if line in both]
    assert [line for line in leaked if not SAME.fullmatch(line)] == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["hachat ping"], ["pong"]),
        (["hachat hlep"], ['Ich kenne "hlep" nicht. Meintest du "hachat help [SUCHTEXT]"?']),
        (["hachat help ping"], ["hachat ping - prüft, ob ich da bin"]),
        (
            ["hachat deploy web --fast ja"],
            [
                'Ich verstehe "deploy web --fast ja" nicht. Geschrieben wird es so: "hachat deploy APP [--count COUNT] [--fast]".'
            ],
        ),
        (["hachat deploy web --fast=ja"], ["web 1 True"]),
        (["hachat deploy web --fast=aus"], ["web 1 False"]),
        (
            ["hachat step-down", "Nein!"],
            [
                "Soll ein anderer Knoten anstelle von n1 Master werden? (ja oder nein)",
                "Dann bleibt n1 Master.",
            ],
        ),
        (
            ["hachat step-down to n9", "hachat step-down to n2", "nein"],
            [
                "Das ging nicht: n9 lebt nicht und kann deshalb nicht übernehmen; es leben n2.",
                "Soll n2 anstelle von n1 Master werden? (ja oder nein)",
                "Dann bleibt n1 Master.",
            ],
        ),
        (
            ["hachat ask", "Abbrechen."],
            ["Wie viele?", "Gut, dann nicht: Es wird nichts weiter getan."],
        ),
        (
            ["hachat drop", "ja"],
            ['Wirklich "drop"? (ja oder nein)', "Das muss jemand anders beantworten."],
        ),
    ],
)
async def test_a_conversation_in_german(lines: Sequence[str], said: list[str]) -> None:
    """What is typed, and what is said to it."""
    assert await talk(make_stage("de", Lease()), *lines) == said


async def test_a_question_lapses_in_german() -> None:
    """The span stands in the case that German wants."""
    stage = make_stage("de", Lease())
    await stage.say("hachat drop", user="ada")

    assert await stage.lapse() == [
        'Keine Antwort zu "hachat drop" innerhalb von 1 Stunde, deshalb wurde nichts weiter getan.'
    ]


class Tell(Handler):
    """Erzählt von Aufträgen."""

    @command("tell")
    async def tell(self, ctx: Context) -> None:
        """tell -- erzählt"""
        letter = Letter("5-0", 40.0, "reply", "irc/#ops", "timed out", b"")
        jobs = (
            Waiting("j1", 160.0, "work", "kitchen.ready"),
            Waiting("j2", 100.0, "chat", "irc/#ops"),
        )
        agenda = Agenda(100.0, jobs, {}, {"kitchen.clean": 7300.0})
        await ctx.reply("\n".join(describe_agenda(ctx, agenda)))
        await ctx.reply(describe_letter(ctx, letter, 100.0))


async def test_jobs_and_letters_in_german() -> None:
    """When they are due, and how old they are."""
    assert await Stage(Tell(), language="de").say("hachat tell") == [
        (
            "jetzt: eine Nachricht, noch einmal (j2)\n"
            "in 60 s: kitchen.ready (j1)\n"
            "in 2 h: kitchen.clean, nach Plan"
        ),
        "5-0, vor 60 s: irc/#ops, timed out",
    ]
