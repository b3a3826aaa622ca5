"""How long a message is under way: alone, at a thousand a second, and while webhooks wait by the hundred thousand.

The loop is open: lines are said at random times whatever becomes of the ones before, and each is timed from the moment at which it
was due, so that a stall is felt by all that should have come through during it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from hachat.bot.context import Context
from hachat.bot.handler import Handler
from hachat.bot.hooks import hook
from hachat.bot.loading import load
from hachat.bot.robot import Robot
from hachat.chat.adapter import Facts, Ingest, deliver
from hachat.cluster.pulse import Notifier
from hachat.core.messages import Message, Reply, Room, User, Webhook
from hachat.core.settings import LogSettings, QueueSettings, Settings, WebSettings
from hachat.daemon import logging
from hachat.daemon.node import Node
from hachat.daemon.run import spare_collector
from hachat.store.inbound import Inbound
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link

ROOMS = 200
PATIENCE = 30.0
"""Seconds after the last line in which all must be answered."""


class Flood(Handler):
    """Takes webhooks and does nothing about them."""

    @hook.post("/flood")
    async def flood(self, ctx: Context) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Latency:
    """Seconds from the moment a line was due until it was answered, and how many webhooks still waited at the end."""

    seconds: Sequence[float]
    waiting: int = 0

    def quantile(self, share: float) -> float:
        """Return the seconds within which `share` of the lines were answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Passers:
    """A chat service in which people say things at random times, `rate` a second."""

    name = "passers"
    facts = Facts(idempotent_send=True)

    def __init__(self, rate: float, lines: int) -> None:
        self.done = trio.Event()
        self.latencies: list[float] = []
        self._rate = rate
        self._lines = lines
        self._due: dict[str, float] = {}

    async def serve(
        self, ingest: Ingest, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Say all lines, each when it is due."""
        task_status.started()
        hear, heard = trio.open_memory_channel[Message](self._lines)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(deliver, heard, ingest)
            due = trio.current_time() + 0.5
            for number in range(self._lines):
                due += random.expovariate(self._rate)
                await trio.sleep_until(due)
                id_, room = f"p{number}", Room(self.name, f"room-{random.randrange(ROOMS)}")
                self._due[id_] = due
                hear.send_nowait(Message(id_, room, User("u1"), "hachat nothing", time.time()))
            with trio.move_on_after(PATIENCE):
                await self.done.wait()
            self.done.set()
            nursery.cancel_scope.cancel()
        await trio.sleep_forever()

    async def send(self, reply: Reply) -> None:
        """Take the time of an answer."""
        self.latencies.append(trio.current_time() - self._due[reply.about])
        if len(self.latencies) == self._lines:
            self.done.set()


def measure_latency(url: str, rate: float, lines: int, webhooks: int = 0) -> Latency:
    """Return how long `lines` took at `rate` a second, with so many webhooks waiting at the beginning."""
    spare_collector()
    return trio.run(_run_node, url, rate, lines, webhooks)


async def _run_node(url: str, rate: float, lines: int, webhooks: int) -> Latency:
    cluster = f"latency-{rate:g}-{webhooks}-{random.getrandbits(32)}"
    queue = QueueSettings(depth=2_000_000)
    settings = Settings(cluster=cluster, node="n1", web=WebSettings(port=0), queue=queue)
    logging.configure(LogSettings(level="warning"), settings.node)
    names = ("tests.benchmarks.throughput:Nothing", f"{__name__}:Flood")
    robot = Robot(load(names).routes, settings.bot.name)
    link, passers, stop = Link(Direct(url)), Passers(rate, lines), trio.Event()
    await _fill(url, cluster, queue, webhooks)
    node = Node(settings, link, robot, [passers], Notifier({}))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run, stop)
        await passers.done.wait()
        waiting = await link.command("HGET", Keys(cluster).of("counters"), "waiting:work")
        stop.set()
    return Latency(passers.latencies, int(waiting or 0))


async def _fill(url: str, cluster: str, limits: QueueSettings, webhooks: int) -> None:
    link = Link(Direct(url))
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        inbound = Inbound(link, Keys(cluster), "filler:1", limits)
        for start in range(0, webhooks, 5_000):
            values = [
                Webhook(f"w{number}", "flood.flood", "POST", "/flood", time.time())
                for number in range(start, min(webhooks, start + 5_000))
            ]
            await inbound.enqueue_all(values, "work")
        nursery.cancel_scope.cancel()
