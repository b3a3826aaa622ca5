"""What a worker does in a second, alone with its queue, and whether that depends on how many rooms there are and how much waits."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import redis
import trio

from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.bot.loading import load
from hachat.bot.robot import Robot
from hachat.bot.run import Run
from hachat.bot.worker import Worker
from hachat.core.messages import Inbound as Value
from hachat.core.messages import Message, Room, User
from hachat.core.settings import QueueSettings
from hachat.daemon.run import spare_collector
from hachat.store.dialogs import Question
from hachat.store.inbound import BATCH, Inbound
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link

SLOTS = 64


class Idler(Handler):
    """Does nothing."""

    @command("idle")
    async def idle(self, ctx: Context) -> None:
        """idle -- do nothing"""


@dataclass(frozen=True)
class Cost:
    """Messages a second, and the microseconds of processor time that one of them takes here and in Redis."""

    rate: float
    ours: float
    redis: float


def measure_worker(url: str, messages: int, rooms: int, behind: int = 0) -> Cost:
    """Return what it costs to work through `messages` in as many `rooms`, with others waiting `behind` them.

    The server must be there for nothing else: it is emptied in the end.
    """
    spare_collector()
    return trio.run(_work, url, messages, rooms, behind)


async def _work(url: str, messages: int, rooms: int, behind: int) -> Cost:
    keys = Keys(f"worker-{rooms}-{behind}-{random.getrandbits(32)}")
    limits = QueueSettings(depth=2 * (messages + behind), mailbox=2 * (messages + behind))
    robot = Robot(load([f"{__name__}:Idler"]).routes, "hachat")
    client = redis.Redis.from_url(url)
    handled, done = itertools.count(1), trio.Event()

    def begin(value: Value, questions: Sequence[Question] = ()) -> Run:
        if next(handled) == messages:
            done.set()
        return robot.begin(value, questions)

    link = Link(Direct(url), timeout=30.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        queue = Inbound(link, keys, "n1:b1", limits)
        await queue.prepare()
        for some in _batches(messages + behind, rooms):
            await queue.enqueue_all(some, "chat")
        worker = Worker(queue, link, "chat", SLOTS, begin)
        leaving = trio.Event()
        began, ours, theirs = time.perf_counter(), time.process_time(), redis_seconds(client)
        async with trio.open_nursery() as working:
            await working.start(worker.run, leaving, 5.0)
            await done.wait()
            seconds = time.perf_counter() - began
            leaving.set()
        ours, theirs = time.process_time() - ours, redis_seconds(client) - theirs
        await link.command("FLUSHALL", "SYNC")
        nursery.cancel_scope.cancel()
    client.close()
    return Cost(messages / seconds, ours / messages * 1e6, theirs / messages * 1e6)


def _batches(messages: int, rooms: int) -> Iterator[list[Message]]:
    said_at = time.time()
    made = (
        Message(
            f"m{number}", Room("t", f"room-{number % rooms}"), User("u1"), "hachat idle", said_at
        )
        for number in range(messages)
    )
    while some := list(itertools.islice(made, BATCH)):
        yield some


def redis_seconds(client: redis.Redis) -> float:
    """Return the processor time that the server has used."""
    used = client.info("cpu")
    assert isinstance(used, dict)
    return float(used["used_cpu_user"] + used["used_cpu_sys"])
