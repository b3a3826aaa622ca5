"""One run of the daemon: a real elector, whose questions go over the simulated network, and its duty."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import trio

from hachat.cluster.elector import Elector
from hachat.cluster.term import Term
from hachat.core.errors import StepDownCode, StoreUnavailable
from hachat.core.lease import Answer, Ask, Cause, Event, EventKind, Token
from hachat.core.timing import Timing
from tests.cluster.fake_lease import FakeServer
from tests.simulation.link import Link
from tests.simulation.listener import Listener
from tests.simulation.network import Host, Network
from tests.simulation.redis import Redis
from tests.simulation.timeline import Timeline

if TYPE_CHECKING:
    from tests.simulation.node import Node
    from tests.simulation.oracle import Oracle

T = TypeVar("T")

TIMING = Timing(margin=0.1)
"""As by default, but with no more margin than it takes, so that a broken rule is not hidden by it."""


@dataclass(frozen=True)
class Ways:
    """How a process behaves that keeps the rules; a test breaks one of them to see that it is needed."""

    wait_on_acquire: bool = True
    wait_on_renew: bool = True
    boottime: bool = True
    floor: bool = True
    vouched: bool = True
    only_the_dead: bool = True


class Killed(BaseException):
    """A dead process says nothing any more, not even goodbye."""


class World(Protocol):
    """What a process finds around it."""

    random: Random
    timeline: Timeline
    network: Network
    nursery: trio.Nursery
    oracle: Oracle
    elector: type[Elector]
    ways: Ways
    calm: bool

    def make_link(self, node: Node) -> Link:
        """Return a way to Redis for a process of `node`."""
        ...

    def release_the_dead(self, node: Node, token: Token) -> None:
        """Give back the lease of a process that is gone, as `hachat release` does."""
        ...

    def next_datum(self) -> int:
        """Return the number of something to write that nobody has written."""
        ...


class Process:
    """A process; it loses everything but what is written down when it ends."""

    def __init__(self, node: Node, boot: str) -> None:
        world = self.world = node.world
        self.node = node
        self.host: Host = node.host
        self.dead = False
        self.sending = False
        self.held: Token | None = None
        self.scope = trio.CancelScope()
        self.link = world.make_link(node)
        self._listener = Listener(self, world.timeline, world.network, world.random)
        self.link.on_switch = self._listener.reset
        self.elector = world.elector(
            self,
            node.name,
            boot,
            TIMING,
            clock=node.read_clock if world.ways.boottime else node.read_monotonic,
            random=world.random.random,
            floor=node.floor if world.ways.floor else 0,
            on_held=self._note_held,
        )

    def die(self) -> None:
        """End at once."""
        self.dead = True
        self.link.close()
        self.world.oracle.gone(self)
        for scope in scopes_within(self.scope):
            scope.shield = False
        self.scope.cancel()

    def _note_held(self, token: str) -> None:
        self.held = Token.parse(token) if token else None
        if self.held is not None:
            self.node.write_down(self.held.epoch)

    # The lease's home, as the elector uses it.

    async def acquire(self, ask: Ask) -> Answer:
        """Ask for the lease."""
        if not self.link.vouched and self.world.ways.vouched:
            raise StoreUnavailable("no Sentinel tells whether this Redis is still the master")
        replicas = self.world.ways.wait_on_acquire

        def operation(server: FakeServer) -> Answer:
            return self.world.oracle.watch_acquire(server, ask)

        return await self._call(operation, int(replicas))

    async def renew(self, token: Token) -> bool:
        """Keep the lease."""
        replicas = self.world.ways.wait_on_renew
        return await self._call(
            lambda server: self.world.oracle.watch_renew(server, token, TIMING.ttl), int(replicas)
        )

    async def release(
        self, token: Token, heir: str, barred: float, reason: str, *, cause: Cause, by: str
    ) -> bool:
        """Give the lease back."""
        return await self._call(
            lambda server: self.world.oracle.watch_release(server, token, heir, barred, reason), 0
        )

    async def refuse(self, request: str, reason: str, code: StepDownCode) -> None:
        """Announce that this node cannot, or does not."""
        await self._announce("refused", request=request, reason=reason, code=code)

    async def prepare(self, token: Token, heir: str, request: str) -> None:
        """Announce that a successor is to get ready."""
        await self._announce("prepare", token, to=heir, request=request)

    async def ready(self, request: str) -> None:
        """Announce that this node is."""
        await self._announce("ready", request=request)

    async def hold(self, node: str, seconds: float, *, by: str, reason: str) -> None:
        """Fail: nobody is held here."""
        raise AssertionError("nobody is held here")

    async def _announce(self, kind: EventKind, token: Token | None = None, **fields: str) -> None:
        def operation(server: FakeServer) -> None:
            server.announce(kind, token, **fields)

        await self._call(operation, 0)

    async def _call(self, operation: Callable[[FakeServer], T], replicas: int) -> T:
        if self.dead:
            raise Killed
        answers: list[Any] = []
        arrived = trio.Event()

        def reply(answer: Any) -> None:
            answers.append(answer)
            self.world.timeline.woken = True
            arrived.set()

        self._when_sent(lambda: self.link.script(operation, replicas, reply))
        try:
            await arrived.wait()
        finally:
            if not answers:
                self.link.drop("lease")
        (answer,) = answers[:1]
        if isinstance(answer, StoreUnavailable):
            raise answer
        return answer  # type: ignore[no-any-return]

    def _when_sent(self, action: Callable[[], None]) -> None:
        self.node.leaving()
        self.node.when_awake(lambda: None if self.dead else action())

    async def follow(self, hear: Callable[[Event], Awaitable[None]]) -> None:
        """Listen to the master's events."""
        await self._listener.follow(hear)

    # What masters do.

    async def duty(self, term: Term) -> None:
        """Send, and write to Redis what was sent, until told to leave or cancelled."""
        world, token = self.world, term.lease.token
        with world.oracle.acting(token, self):
            while not term.leaving.is_set():
                if term.remaining() >= TIMING.send_timeout + TIMING.margin:
                    seconds = world.random.uniform(0, TIMING.send_timeout)
                    world.oracle.send(token, self, seconds)
                    self._write(token)
                    # What has begun cannot be taken back: a cancelled term waits for it.
                    self.sending = True
                    with trio.CancelScope(shield=True):
                        await trio.sleep(seconds)
                    self.sending = False
                with trio.move_on_after(world.random.uniform(0.05, 1.0)):
                    await term.leaving.wait()

    def _write(self, token: Token) -> None:
        datum = self.world.next_datum()
        oracle = self.world.oracle

        def question(server: Redis, reply: Callable[[Any], None]) -> None:
            if server.upstream is None and server.scripts.accepts(token):
                oracle.see_write(token, server.scripts)
            server.write(token, datum, 1, reply)

        def reply(answer: Any) -> None:
            if answer is True:
                oracle.acknowledge(datum)

        self.link.ask("pump", question, reply)


def scopes_within(scope: trio.CancelScope) -> Iterator[trio.CancelScope]:
    """Yield all scopes of a process: only through them can some of trio's tasks stand still while others run."""
    statuses: list[Any] = [scope._cancel_status]
    while statuses:
        status = statuses.pop()
        if status is not None:
            statuses.extend(status._children)
            if status._scope is not scope:
                yield status._scope
