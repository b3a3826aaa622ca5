"""A node of a simulated cluster: a real elector, its clock, and its way to a Redis that it can lose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from math import inf
from random import Random
from typing import Any, Protocol, TypeVar

import trio

from hachat.cluster.elector import Elector, Term
from hachat.core.errors import StepDownCode, StoreUnavailable
from hachat.core.lease import Answer, Ask, Cause, Event, Sight, Timing, Token
from tests.cluster.fake_lease import FakeServer

T = TypeVar("T")
Operation = Callable[[FakeServer], T]

TIMING = Timing(margin=0.1)
"""As by default, but with no more margin than it takes, so that a broken rule is not hidden by it."""

CHAOS = 80.0
"""Seconds after which the network is in order again."""


class World(Protocol):
    """Where a node lives, and who watches it."""

    random: Random
    nursery: trio.Nursery
    server: FakeServer
    elector: type[Elector]

    def acting(self, token: Token, process: Process) -> AbstractContextManager[None]:
        """Watch `process` while it acts in the name of `token`."""
        ...

    def stop_acting(self, process: Process) -> None:
        """Note that `process` does nothing any more."""
        ...

    def inspect(self, server: FakeServer) -> None:
        """Look at a server that has just been asked something."""
        ...

    def see_write(self, token: Token, server: FakeServer) -> None:
        """Note that `server` took a write that was fenced with `token`."""
        ...


class Process:
    """One run of the daemon on a node: it loses everything but what is written down when it crashes."""

    def __init__(self, node: Node, boot: str) -> None:
        self.node = node
        self.dead = trio.Event()
        self.scope = trio.CancelScope()
        self.elector = node.world.elector(
            self,
            node.name,
            boot,
            TIMING,
            clock=node.read_clock,
            random=node.world.random.random,
            floor=node.floor,
        )

    async def acquire(self, ask: Ask) -> Answer:
        """Ask the server this node believes in."""
        return await self._call(lambda server: server.confirm(server.acquire(ask)))

    async def renew(self, token: Token) -> bool:
        """Ask the server this node believes in."""
        return await self._call(lambda server: server.confirm(server.renew(token, TIMING.ttl)))

    async def release(
        self, token: Token, heir: str, barred: float, reason: str, *, cause: Cause, by: str
    ) -> bool:
        """Ask the server this node believes in."""
        return await self._call(lambda server: server.release(token, heir, barred, reason))

    async def refuse(self, request: str, reason: str, code: StepDownCode) -> None:
        """Announce it on the server this node believes in."""
        await self._call(
            lambda server: server.announce("refused", request=request, reason=reason, code=code)
        )

    async def prepare(self, token: Token, heir: str, request: str) -> None:
        """Announce it on the server this node believes in."""
        await self._call(lambda server: server.announce("prepare", token, to=heir, request=request))

    async def ready(self, request: str) -> None:
        """Announce it on the server this node believes in."""
        await self._call(lambda server: server.announce("ready", request=request))

    async def hold(self, node: str, seconds: float, *, by: str, reason: str) -> None:
        """Fail: nobody is held here."""
        raise AssertionError("nobody is held here")

    async def follow(self, hear: Callable[[Event], Awaitable[None]]) -> None:
        """Listen to the server this node believes in."""
        after = ""
        while True:
            server = self.node.server
            await self.node.travel()
            if self.node.reaches(server):
                await hear(Event("connected", Sight(server.newest, server.identity)))
                after = min(after or server.newest, server.newest, key=_by_age)
                after = await self._listen(server, after, hear)
            await trio.sleep(0.1)

    async def _listen(
        self, server: FakeServer, after: str, hear: Callable[[Event], Awaitable[None]]
    ) -> str:
        while True:
            news = server.news
            fresh = [
                event
                for event in server.state.events
                if _by_age(event.sight.event) > _by_age(after)
            ]
            if fresh:
                await self.node.travel()
            else:
                with trio.move_on_after(1.0):
                    await news.wait()
            if not self.node.reaches(server):
                return after
            for event in fresh:
                after = event.sight.event
                await hear(event)

    async def _call(self, operation: Operation[T]) -> T:
        answers: list[T | StoreUnavailable] = []
        arrived = trio.Event()
        # On its own, because a message that was sent arrives, whatever becomes of the sender.
        self.node.world.nursery.start_soon(self._carry, operation, answers, arrived)
        await arrived.wait()
        (answer,) = answers
        if isinstance(answer, StoreUnavailable):
            raise answer
        return answer

    async def _carry(
        self, operation: Operation[Any], answers: list[Any], arrived: trio.Event
    ) -> None:
        server = self.node.server
        if self.dead.is_set() or not await self.node.travel(server):
            return
        try:
            answers.append(operation(server))
        except StoreUnavailable as error:
            answers.append(error)
        self.node.world.inspect(server)
        if await self.node.travel(server):
            arrived.set()

    async def duty(self, term: Term) -> None:
        """Do what masters do: send, and write to Redis what was sent, until told to leave or cancelled."""
        with self.node.world.acting(term.lease.token, self):
            while not term.leaving.is_set():
                await self.node.awake()
                if term.remaining() >= TIMING.send_timeout + TIMING.margin:
                    await self._send()
                    self.node.world.nursery.start_soon(self._write, term.lease.token)
                with trio.move_on_after(self.node.world.random.uniform(0.05, 1.0)):
                    await term.leaving.wait()

    async def _send(self) -> None:
        # What has begun cannot be taken back: a cancelled term waits for it, a crash does not.
        with trio.move_on_after(
            self.node.world.random.uniform(0, TIMING.send_timeout), shield=True
        ):
            await self.dead.wait()

    async def _write(self, token: Token) -> None:
        server = self.node.server
        if await self.node.travel(server) and server.accepts(token):
            self.node.world.see_write(token, server)


class Node:
    """A server of ours: its clock, its way to Redis, and the process it runs."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.server = world.server
        self.floor = 0
        self.process: Process | None = None
        self._offset = world.random.uniform(0, 1e6)
        self._rate = 1 + world.random.choice([-0.0045, 0.0, 0.0045])
        self._cut_until = -inf
        self._paused_until = -inf

    def read_clock(self) -> float:
        """Return this node's time, which runs a little fast or slow."""
        return self._offset + trio.current_time() * self._rate

    def cut(self, seconds: float) -> None:
        """Let no message through for so long."""
        self._cut_until = trio.current_time() + seconds

    def pause(self, seconds: float) -> None:
        """Stop the process for so long."""
        self._paused_until = trio.current_time() + seconds

    def reaches(self, server: FakeServer) -> bool:
        """Return whether this node is connected to `server`."""
        return server is self.server and not server.dead and trio.current_time() >= self._cut_until

    async def awake(self) -> None:
        """Return when the process runs."""
        await trio.sleep_until(max(trio.current_time(), self._paused_until))

    async def travel(self, server: FakeServer | None = None) -> bool:
        """Let a message be on its way, and return whether it arrives at `server`, or here from it."""
        draw = self.world.random
        await self.awake()
        slow = draw.random() < (0.3 if trio.current_time() < CHAOS else 0.0)
        await trio.sleep(0.0005 + draw.expovariate(1 / (0.2 if slow else 0.002)))
        await self.awake()
        lost = trio.current_time() < CHAOS and draw.random() < 0.03
        return not (
            lost or (server is not None and server.dead) or trio.current_time() < self._cut_until
        )

    async def run(self) -> None:
        """Run one process after the other; each starts with the floor that the last one wrote down."""
        for boot in range(1000):
            process = self.process = Process(self, f"{self.name}{boot}")
            with process.scope:
                await process.elector.run(process.duty)
            self.floor = process.elector.floor
            self.process = None
            await trio.sleep(self.world.random.uniform(0.1, 10.0))

    def crash(self) -> None:
        """Kill the process: it says goodbye to nobody."""
        if self.process is not None:
            self.process.dead.set()
            self.world.stop_acting(self.process)
            self.process.scope.cancel()


def _by_age(event: str) -> tuple[int, int]:
    milliseconds, _, sequence = event.partition("-")
    return int(milliseconds), int(sequence)
