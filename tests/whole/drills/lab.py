"""Three servers, each with a Redis, a Sentinel and a daemon, a chat server, and people who ask without a pause."""

from __future__ import annotations

import math
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from secrets import token_hex

import trio

from hachat.cluster.candidates import find_candidates
from hachat.cluster.stepdown import step_down
from hachat.cluster.term import read_clock
from hachat.core.errors import StoreError
from hachat.core.lease import Token
from hachat.core.stepdown import Order
from hachat.store.keys import Keys
from hachat.store.lease import LeaseView
from hachat.store.link import Link
from hachat.store.sentinels import Sentinels
from tests.waiting import until
from tests.whole.cluster import Daemon
from tests.whole.drills.daemons import ROOMS, WEB, make_daemon, node_of
from tests.whole.drills.events import Any, Asked, Barred, Died, Fault, Froze, SteppedDown
from tests.whole.drills.ground import SERVERS, Loopback, Namespaces
from tests.whole.drills.ircd import Ircd
from tests.whole.drills.stores import SENTINEL, SERVICE, Program, make_stores
from tests.whole.drills.watching import watching
from tests.whole.network import Network

RATE = 20.0
"""Lines a second."""

LOCK_DELAY = 7.5
"""Seconds after which candidates trust another Redis, and a little."""


@dataclass
class Lab:
    """What a drill is played on; `events` is what happened so far but for what the logs tell.

    `identity` is the Redis master's run id, `met` when it was seen first, by trio's clock; `rate` is lines a second,
    `written_off` what drills that were judged have left unanswered.
    """

    folder: Path
    ground: Loopback
    network: Network | Ircd
    stores: dict[int, Program]
    sentinels: dict[int, Program]
    daemons: dict[int, Daemon]
    link: Link
    keys: Keys
    children: ExitStack
    events: list[Any] = field(default_factory=list)
    numbers: Iterable[int] = field(default_factory=lambda: count(1))
    last: int = 0
    identity: str = ""
    met: float = -math.inf
    rate: float = RATE
    written_off: set[int] = field(default_factory=set)

    @property
    def cable(self) -> Namespaces:
        """The ground, if things can be cut off on it."""
        assert isinstance(self.ground, Namespaces)
        return self.ground

    def note(self, what: str) -> None:
        """Write down what is done."""
        self.events.append(Fault(at=read_clock(), what=what))

    # Who is what.

    async def leader(self) -> int:
        """Return the server of the master; waits until there is one."""

        async def find() -> int:
            with suppress(StoreError):
                token = await LeaseView(self.link, self.keys).read_master()
                return int(token.node.removeprefix("node-")) if token else 0
            return 0

        found: int = await until(find, 30.0)
        return found

    def store_master(self) -> int:
        """Return the server of the Redis that most Sentinels call the master, 0 if none does."""
        named = []
        for sentinel in self.sentinels.values():
            with suppress(StoreError):
                address = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE, patience=0.2)
                named.append(address[0].decode())
        host = max(set(named), key=named.count, default="")
        found = (number for number, store in self.stores.items() if store.address == host)
        return next(found, 0)

    async def lead(self, number: int) -> None:
        """Make the node of a server master, if it is not; who lately met another Redis takes no lease."""
        if await self.leader() != number:
            await trio.sleep_until(self.met + LOCK_DELAY)
            await self.step_down(number)
            await self.hear(3)

    async def step_down(self, number: int) -> None:
        """Let the master step down in favour of the node of a server."""
        await self.step_down_to(node_of(number))

    async def step_down_to(self, to: str) -> None:
        """Let the master step down in favour of a node, or of anybody if none is named; raises as `hachat step-down` does."""
        view = LeaseView(self.link, self.keys)
        find = partial(find_candidates, self.link, self.keys)
        done = await step_down(view, find, Order(to=to, by="drill"))
        heir = to or done.new.node
        self.events.append(SteppedDown(at=read_clock(), to=heir, old=str(done.old)))

    async def request_step_down(self, number: int) -> tuple[Token, str]:
        """Ask the master to step down in favour of the node of a server, and return its token and the request's event at once."""
        view = LeaseView(self.link, self.keys)
        token = await view.read_master()
        assert token is not None
        order = Order(to=node_of(number), by="drill")
        return token, await view.request_step_down(token, token_hex(8), order)

    def others(self, number: int) -> list[int]:
        """Return the other servers."""
        return [one for one in SERVERS if one != number]

    # Harm.

    async def kill(self, *numbers: int) -> None:
        """Kill the daemons of servers, all at once."""
        for number in numbers:
            self.note(f"kill -9 {node_of(number)}")
            self.daemons[number].process.kill()
            self.events.append(Died(at=read_clock(), node=node_of(number)))
        for number in numbers:
            process = self.daemons[number].process
            await until(lambda: process.poll() is not None)  # noqa: B023 - awaited here

    async def leave(self, number: int) -> None:
        """Let the daemon of a server end in order."""
        self.note(f"SIGTERM {node_of(number)}")
        process = self.daemons[number].process
        process.send_signal(signal.SIGTERM)
        await until(lambda: process.poll() is not None, 50.0)
        self.events.append(Died(at=read_clock(), node=node_of(number)))

    @contextmanager
    def barred(self, invariant: str, *nodes: str) -> Iterator[None]:
        """Have it judged under the name of `invariant` that none of `nodes` becomes master during the block."""
        began = read_clock()
        try:
            yield
        finally:
            until = read_clock()
            self.events.append(Barred(at=began, until=until, nodes=nodes, invariant=invariant))

    async def freeze(self, number: int, seconds: float) -> None:
        """Let the daemon of a server stand still for a while."""
        with self.frozen(number):
            await trio.sleep(seconds)

    @contextmanager
    def frozen(self, number: int) -> Iterator[None]:
        """Let the daemon of a server stand still for the length of the block."""
        process = self.daemons[number].process
        self.note(f"SIGSTOP {node_of(number)}")
        process.send_signal(signal.SIGSTOP)
        began = read_clock()
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)
            self.events.append(Froze(at=began, node=node_of(number), until=read_clock()))

    def start(self, number: int) -> None:
        """Start the daemon of a server."""
        self.daemons[number].start(self.children)

    # The stream.

    async def speak(self) -> None:
        """Ask for a number in one room after the other, for ever."""
        due = trio.current_time()
        for number in self.numbers:
            await trio.sleep_until(due)
            due += 1 / self.rate
            self.last = number
            room = ROOMS[number % len(ROOMS)]
            self.events.append(Asked(at=read_clock(), number=number, room=room))
            self.network.say(room, f"hachat: count {number} 1 0.000")

    async def hear(self, lines: int = 10, within: float = 30.0) -> float:
        """Return how long it took until so many lines that are said from now on have been answered, seconds."""
        began, first, seen = read_clock(), self.last, len(self.network.record)

        def heard() -> bool:
            new = self.network.record[seen:]
            return sum(_number(spoken.text) > first for spoken in new) >= lines

        await until(heard, within)
        return read_clock() - began


def _number(text: str) -> int:
    first = text.partition(".")[0]
    return int(first) if first.isdigit() else 0


@asynccontextmanager
async def run_lab(
    folder: Path, ground: Loopback, rate: float = RATE, *, irc: bool = False
) -> AsyncIterator[Lab]:
    """Run everything for the length of the block; with `irc` the chat server is a real one."""
    with ExitStack() as children:
        ground.build(children)
        stores, sentinels = make_stores(folder, ground, children)
        network = Ircd(ground.chat, folder, ROOMS) if irc else Network(ground.chat)
        addresses = [f"{sentinel.address}:{SENTINEL}" for sentinel in sentinels.values()]
        link = Link(Sentinels(addresses, SERVICE))
        for program in (*stores.values(), *sentinels.values()):
            program.start()
        async with trio.open_nursery() as nursery:
            await nursery.start(network.run)
            await nursery.start(link.run)
            daemons = {
                number: make_daemon(folder, number, ground, network.port, addresses)
                for number in SERVERS
            }
            lab = Lab(
                folder,
                ground,
                network,
                stores,
                sentinels,
                daemons,
                link,
                Keys("drill"),
                children,
                rate=rate,
            )
            for number, daemon in daemons.items():
                daemon.start(children)
                address = stores[number].address
                children.enter_context(
                    watching(
                        node_of(number), address, WEB, lab.events.append, _entrance(ground, number)
                    )
                )
            nursery.start_soon(lab.speak)
            try:
                yield lab
            finally:
                running = [each.process for each in (*stores.values(), *sentinels.values())]
                for process in (*running, *(daemon.process for daemon in daemons.values())):
                    process.kill()
                nursery.cancel_scope.cancel()


def _entrance(ground: Loopback, number: int) -> Callable[[], None]:
    return lambda: ground.enter(number)
