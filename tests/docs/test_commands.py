"""docs/commands.md keeps its word: it names every built-in command, and each conversation is had on real queues."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from hachat import __version__
from hachat.bot.binding import bind
from hachat.bot.handler import Handler
from hachat.bot.handlers.about import About
from hachat.bot.handlers.auth import Auth
from hachat.bot.handlers.chores import Chores
from hachat.bot.handlers.cluster import Cluster
from hachat.bot.handlers.help import Help
from hachat.bot.handlers.info import Info
from hachat.bot.handlers.people import People
from hachat.bot.handlers.ping import Ping
from hachat.bot.handlers.presence import Presence
from hachat.bot.handlers.stepdown import StepDown
from hachat.bot.routes import ChatRoute
from hachat.core.access import ADMINS
from hachat.core.messages import Job, Reply
from hachat.core.settings import QueueSettings
from hachat.core.stepdown import Order
from hachat.core.wire import encode
from hachat.daemon.stepdown import Moved
from hachat.store.commits import Later
from hachat.store.dead import DeadLetters
from hachat.store.jobs import Jobs
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.status import NodeStatus, Status, read_status
from hachat.testing import Driver
from hachat.testing.driver import drive
from tests.bot.test_guide import blocks

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
ENTRY = "1795497344998-0"
ROOM = "test/#room"


def make_handlers(link: Link, keys: Keys) -> list[Handler]:
    """Return those that come with hachat, in a cluster whose master moves at a word."""
    masters = ["node-1"]
    times = iter((0.0, *[3 * 3600.0] * 9))

    async def read() -> Status:
        return replace(await read_status(link, keys), master=masters[-1])

    async def read_both() -> Status:
        other = NodeStatus("node-2", "standby", 1, "", __version__, 0.0)
        return replace(await read(), nodes=[other])

    async def move(order: Order, leaver: str, patience: float) -> Moved:
        assert patience > 0
        masters.append(order.to)
        return Moved(leaver, order.to, 1, 2, 0.012)

    async def read_version() -> str:
        return "8.1.0"

    return [
        *(About(lambda: next(times)), Auth(), Cluster(read), Help(), Info(read_version)),
        *(Chores(Jobs(link, keys), DeadLetters(link, keys, QueueSettings())), People()),
        *(Ping(), Presence(), StepDown(read_both, move)),
    ]


async def prepare(link: Link, keys: Keys) -> str:
    """Have jobs wait and a reply given up, and return the entry of that."""
    for name, delay, route in (("tea", 179, "reminders.remind"), ("report", 7199, "reports.send")):
        job = Later(name, delay, "work", Job(name, route, 0.0))
        await Jobs(link, keys).schedule(job)
    entry = f"{await Jobs(link, keys).now() - 179_000}-0"
    reply = Reply("m1/reports/1", "test/#reports", "The report is ready.")
    fields = ("kind", "reply", "origin", reply.room, "data", b"m1/reports/1|" + encode(reply))
    await link.command("XADD", keys.of("dead"), entry, *fields, "reason", "the service refused it")
    return entry


async def converse(driver: Driver, chat: str) -> list[str]:
    """Say what people say in a conversation, and return it with what the bot really says."""
    lines = []
    for line in chat.splitlines():
        if found := re.fullmatch("(alice|root): (.*)", line):
            said = await driver.as_user(found[1]).say(found[2])
            # Of rooms none waits for another; what is said in each keeps its order.
            said.sort(key=lambda one: one.room != ROOM)
            lines += [line, *(show(one.room, one) for one in said if one.op == "say")]
    return lines


def show(room: str, text: str) -> str:
    """Return how the page shows what the bot says."""
    return f"hachat: {text}" if room == ROOM else f"hachat in {room}: {text}"


@pytest.mark.parametrize("title", SECTIONS)
async def test_conversations(title: str, link: Link, keys: Keys) -> None:
    """They are had as the page shows them."""
    async with drive(link, keys, make_handlers(link, keys), groups={ADMINS: ["root"]}) as driver:
        entry = await prepare(link, keys)
        page = (
            SECTIONS[title].replace(ENTRY, entry).replace("hachat 0.1.0", f"hachat {__version__}")
        )
        chat = "".join(blocks(page, "chat"))

        assert "\n".join(await converse(driver, chat)) == chat.strip()


async def test_every_command_is_in_the_table(link: Link, keys: Keys) -> None:
    """With those it is for, in the order of the alphabet; and no other is."""
    routes = [route for handler in make_handlers(link, keys) for route in bind(handler)]
    commands = {
        (route.usage.line, ", ".join(route.groups) or "all")
        for route in routes
        if isinstance(route, ChatRoute)
    }
    assert re.findall(r"^\| `(.+)` \| (\w+) \|", PAGE, re.MULTILINE) == sorted(commands)
