"""How a process hears the master's events, as `hachat.store.lease.LeaseView.follow` does."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any, Protocol

import trio

from hachat.core.errors import StoreUnavailable
from hachat.core.lease import Event, Sight
from tests.simulation.link import Link, Place
from tests.simulation.network import Host, Network
from tests.simulation.redis import Redis
from tests.simulation.replication import by_age
from tests.simulation.timeline import Timeline

_HEARTBEAT = 2.4
"""Seconds after which a reader whose connection is dead notices it."""


class Process(Protocol):
    """Who listens."""

    dead: bool
    link: Link

    @property
    def node(self) -> Place:
        """The machine it runs on."""
        ...


class Listener:
    """Reads the events of whichever server is the master, on one connection after the other."""

    def __init__(
        self, process: Process, timeline: Timeline, network: Network, random: Random
    ) -> None:
        self.process, self.timeline, self.network = process, timeline, network
        self._random = random
        self._inbox: deque[Event | None] = deque()
        self._news = trio.Event()
        self._connection = 0
        self._heard_at = 0.0
        self._reader: _Reader | None = None

    async def follow(self, hear: Callable[[Event], Awaitable[None]]) -> None:
        """Pass every event to `hear`, for ever."""
        after = ""
        while True:
            self._connection += 1
            self._inbox.clear()
            self._subscribe(self._connection, after)
            while (event := await self._next()) is not None:
                after = event.sight.event
                identity = f"{event.sight.identity}@{self.process.link.config_epoch}"
                await hear(replace(event, sight=Sight(after, identity)))
            await trio.sleep(self._random.uniform(0.1, 0.3))

    def reset(self) -> None:
        """Begin anew, as the master has changed."""
        self.put(self._connection, None)

    def put(self, number: int, event: Event | None) -> None:
        """Take what has come on connection `number`; None is its end."""
        if number == self._connection and not self.process.dead:
            self._heard_at = self.timeline.now
            self._inbox.append(event)
            self.timeline.woken = True
            self._news.set()

    async def _next(self) -> Event | None:
        while not self._inbox:
            self._news = trio.Event()
            await self._news.wait()
        return self._inbox.popleft()

    def _subscribe(self, number: int, after: str) -> None:
        self._heard_at = self.timeline.now
        self._reader = None
        self._watch_silence(number)

        def question(server: Redis, reply: Callable[[Any], None]) -> None:
            if server.upstream is not None:
                reply(StoreUnavailable("READONLY"))
                return
            scripts, run_id = server.scripts, server.scripts.run_id
            newest = scripts.newest
            start = min(after or newest, newest, key=by_age)
            missed = [e for e in scripts.state.events if by_age(e.sight.event) > by_age(start)]
            reader = self._reader = _Reader(self, number, server)
            server.followers.append(reader)
            reader.send(Event("connected", Sight(newest, run_id)))
            for event in missed:
                reader.push(event)

        def reply(answer: Any) -> None:
            if isinstance(answer, StoreUnavailable):
                self.put(number, None)

        self.process.link.drop("events")
        self.process.link.ask("events", question, reply)

    def _watch_silence(self, number: int) -> None:
        def look() -> None:
            if number != self._connection or self.process.dead:
                return
            now = self.timeline.now
            if self._reader is not None and self._reader.is_well():
                # A blocked read that ends without an event shows that the server lives.
                self._heard_at = now
            if now - self._heard_at >= _HEARTBEAT:
                self.put(number, None)
            else:
                look_in(_HEARTBEAT / 2)

        def look_in(seconds: float) -> None:
            self.timeline.after(seconds, lambda: self.process.node.when_awake(look))

        look_in(_HEARTBEAT)


class _Reader:
    """A connection that waits for events."""

    def __init__(self, listener: Listener, number: int, server: Redis) -> None:
        self.host: Host = listener.process.node.host
        self._listener, self._number, self._server = listener, number, server
        self._broken = False

    def is_well(self) -> bool:
        """Return whether the server would answer on it."""
        server = self._server
        is_open = self._listener.network.is_open(server.host, self.host)
        return not self._broken and is_open and server.awake and self in server.followers

    def send(self, event: Event | None) -> None:
        """Send one event on its way; where that fails, the connection hangs for good."""
        listener, node = self._listener, self._listener.process.node
        if self._broken or listener.process.dead:
            return
        self._broken = not listener.network.stream(
            self,
            self._server.host,
            self.host,
            lambda: node.when_awake(lambda: listener.put(self._number, event)),
        )

    def push(self, event: Event) -> None:
        """Send an event on its way."""
        self.send(replace(event, sight=Sight(event.sight.event, self._server.scripts.run_id)))

    def hang_up(self) -> None:
        """Send the end of the connection on its way."""
        self.send(None)
