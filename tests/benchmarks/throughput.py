"""How many messages a second go through: hachat's queues, and the way its ancestors did it, on the same server.

Both do the same round in one process: a message is heard, queued, taken, handled, its reply queued, taken and sent.
Both keep the same number of messages under way and stop after the same number.
"""

from __future__ import annotations

import pickle
import time
from threading import Semaphore, Thread
from typing import Any

import redis
import trio

from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.bot.loading import load
from hachat.bot.robot import Robot
from hachat.chat.adapter import Facts, Ingest, deliver
from hachat.cluster.pulse import Notifier
from hachat.core.messages import Message, Reply, Room, User
from hachat.core.settings import LogSettings, Settings, WebSettings
from hachat.daemon import logging
from hachat.daemon.node import Node
from hachat.daemon.run import spare_collector
from hachat.store.link import Direct, Link

ROOMS = 600
"""Rooms, with one message of each under way."""


class Nothing(Handler):
    """Does nothing but answer."""

    @command("nothing")
    async def nothing(self, ctx: Context) -> None:
        """nothing -- answer"""
        await ctx.reply("done")


class Crowd:
    """A chat service in which each room says its next line as soon as the last one is answered."""

    name = "crowd"
    facts = Facts(idempotent_send=True)

    def __init__(self, messages: int) -> None:
        self.done = trio.Event()
        self.seconds = self._started = 0.0
        self._messages = messages
        self._begun = self._answered = 0
        self._hear, self._heard = trio.open_memory_channel[Message](ROOMS)

    async def serve(
        self, ingest: Ingest, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Let every room say its first line, then each room that was answered its next."""
        task_status.started()
        self._started = time.perf_counter()
        for number in range(ROOMS):
            self._speak(f"room-{number}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(deliver, self._heard, ingest)
            await self.done.wait()
            nursery.cancel_scope.cancel()
        await trio.sleep_forever()

    async def send(self, reply: Reply) -> None:
        """Count an answer; the room may go on."""
        self._answered += 1
        if self._answered + ROOMS <= self._messages:
            self._speak(reply.channel)
        if self._answered == self._messages:
            self.seconds = time.perf_counter() - self._started
            self.done.set()

    def _speak(self, room: str) -> None:
        self._begun += 1
        id_, user = f"m{self._begun}", User("u1", "anna")
        self._hear.send_nowait(
            Message(id_, Room(self.name, room), user, "hachat nothing", time.time())
        )


def measure_hachat(url: str, messages: int) -> float:
    """Return the messages a second of one node in all roles, as the daemon puts it together."""
    spare_collector()
    return trio.run(_run_node, url, messages)


async def _run_node(url: str, messages: int) -> float:
    settings = Settings(cluster=f"bench-{messages}", node="node-1", web=WebSettings(port=0))
    logging.configure(LogSettings(level="warning"), settings.node)
    robot = Robot(load([f"{__name__}:Nothing"]).routes, settings.bot.name)
    crowd, stop = Crowd(messages), trio.Event()
    node = Node(settings, Link(Direct(url)), robot, [crowd], Notifier({}))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run, stop)
        await crowd.done.wait()
        stop.set()
    return messages / crowd.seconds


def measure_ancestors(url: str, messages: int) -> float:
    """Return the messages a second of blocking pops and pickles, one message at a time, in three threads."""
    ancestors = Ancestors(url, messages)
    threads = [Thread(target=role) for role in (ancestors.hear, ancestors.work, ancestors.send)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return messages / (time.perf_counter() - began)


class Ancestors:
    """The round as two lists make it; what is popped and not yet pushed is lost with its process."""

    def __init__(self, url: str, messages: int) -> None:
        self._messages = messages
        self._under_way = Semaphore(ROOMS)
        self._clients: list[Any] = [redis.Redis.from_url(url) for _ in range(3)]

    def hear(self) -> None:
        """Queue messages as they are said."""
        for number in range(self._messages):
            self._under_way.acquire()
            line = (f"m{number}", f"room-{number % ROOMS}", "nothing")
            self._clients[0].rpush("inbound", pickle.dumps(line))

    def work(self) -> None:
        """Handle one message after the other."""
        for _ in range(self._messages):
            message, room, text = pickle.loads(self._clients[1].blpop("inbound")[1])
            if text == "nothing":
                self._clients[1].rpush("outbound", pickle.dumps((message, room, "done")))

    def send(self) -> None:
        """Send one reply after the other."""
        for _ in range(self._messages):
            pickle.loads(self._clients[2].blpop("outbound")[1])
            self._under_way.release()
