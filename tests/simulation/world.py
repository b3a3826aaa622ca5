"""A whole cluster in virtual time, in one process, from one seed: three boxes with a node, a Redis and a Sentinel each.

The electors are the real ones; `hachat.store.masters.choose` is too.  The scripts are `tests/cluster/fake_lease.py`,
which `tests/store/test_lease.py` holds to the real ones.  `oracle.py` says what is looked at, `chaos.py` what goes wrong.

I1 and I2 must hold whatever is drawn: a lease counts only when a replica has it, and the lock delay of a promoted server only from
when it has one, so by its end a deposed server has confirmed none for a ttl.  They need clean partitions (`chaos.Fate`); in
the other runs overlaps are counted.  With `min-replicas-to-write` 0 they are not promised (a renewal that nobody confirmed is
written all the same), and rarely seen to fail.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

import trio

from hachat.cluster import elector as production
from hachat.cluster.elector import Elector
from hachat.cluster.term import Term
from hachat.core.lease import Lease, Token, Watch
from tests.cluster.fake_lease import FakeServer, Rules
from tests.simulation.chaos import CHAOS, Chaos, Fate
from tests.simulation.link import Link
from tests.simulation.network import Network
from tests.simulation.node import Node
from tests.simulation.oracle import Oracle, Report
from tests.simulation.process import Ways
from tests.simulation.redis import Redis
from tests.simulation.sentinel import Sentinel
from tests.simulation.timeline import Timeline

SETTLE = 45.0
"""Seconds after the chaos within which the Sentinels agree on a master that two replicas follow."""

QUIET = 10.0
"""Seconds after the chaos in which leases that nobody could renew run out, and step-downs that were asked for end."""

SOON = 15.0
"""Seconds after that within which a node is master: the lock delay, a ttl, and what it takes to connect."""

STAY = 5.0
"""Seconds for which it then stays."""


@dataclass(frozen=True)
class Variant:
    """What runs: the real thing, or the same with one rule broken; and what goes wrong."""

    rules: Rules = field(default_factory=Rules)
    ways: Ways = field(default_factory=Ways)
    elector: type[Elector] = Elector
    lease: type[Lease] = Lease
    term: type[Term] = Term
    watch: type[Watch] = Watch
    server: type[FakeServer] = FakeServer
    chaos: type[Chaos] = Chaos


SOUND = Variant()


class Cluster:
    """All there is."""

    def __init__(self, report: Report, variant: Variant, timeline: Timeline) -> None:
        self.report, self.timeline = report, timeline
        self.random = draw = Random(report.seed)
        self.fate = Fate.draw(draw)
        self.elector, self.ways = variant.elector, variant.ways
        self._chaos = variant.chaos(self, self.fate)
        self.oracle = Oracle(timeline, report)
        self.oracle.strict = self.fate.clean
        self.network = Network(timeline, draw)
        self.calm = False
        self._data = 0
        scripts = partial(variant.server, rules=variant.rules)
        self.servers = [
            Redis(
                box,
                timeline,
                self.network,
                draw,
                make_scripts=scripts,
                min_replicas=self.fate.min_replicas,
            )
            for box in range(3)
        ]
        for server in self.servers:
            server.on_promote = self.oracle.forget
        for replica in self.servers[1:]:
            replica.follow(self.servers[0])
        self.sentinels = [
            Sentinel(box, timeline, self.network, draw, servers=self.servers, tell=self._tell)
            for box in range(3)
        ]
        for sentinel in self.sentinels:
            sentinel.misjudges = self.fate.misjudges
            sentinel.peers = [peer for peer in self.sentinels if peer is not sentinel]
        self.nodes = [Node(self, box) for box in range(3)]
        self.nursery: trio.Nursery

    def make_link(self, node: Node) -> Link:
        """Return a way to Redis for a process of `node`."""
        servers = {server.host.name: server for server in self.servers}
        return Link(
            node,
            self.timeline,
            self.network,
            servers=servers,
            sentinels=self.sentinels,
        )

    def _tell(self, sentinel: Sentinel) -> None:
        """Let everybody hear of a Sentinel's event."""
        self.oracle.note(
            f"{sentinel.host.name} says {sentinel.master.host.name}, {sentinel.config_epoch}"
        )
        for node in self.nodes:
            process = node.process
            if process is not None:
                self._hint(sentinel, node, process.link)

    def _hint(self, sentinel: Sentinel, node: Node, link: Link) -> None:
        self.network.send(sentinel.host, node.host, lambda: node.when_awake(link.hint))

    def release_the_dead(self, node: Node, token: Token) -> None:
        """Give back the lease of a process that is gone."""
        link = self.make_link(node)
        self.oracle.note(f"{token} is released for the dead")
        release: Callable[[FakeServer], bool] = lambda server: self.oracle.watch_release(  # noqa: E731
            server, token, "", 0.0, "crash"
        )
        link.script(release, 0, lambda _: link.close())
        self.timeline.after(2.0, link.close)

    def next_datum(self) -> int:
        """Return the number of something to write that nobody has written."""
        self._data += 1
        return self._data

    def find_primary(self) -> Redis:
        """Return the server that most Sentinels take for the master."""
        newest = max(self.sentinels, key=lambda sentinel: sentinel.config_epoch)
        return newest.master

    def find_master_node(self) -> Node:
        """Return the node that acts, or any."""
        for node in self.nodes:
            if node.process is not None and node.process.elector.term is not None:
                return node
        return self.nodes[0]

    def find_master(self) -> str | None:
        """Return the token of the present term."""
        terms = [node.process.elector.term for node in self.nodes if node.process is not None]
        return next((term.token for term in terms if term is not None), None)

    async def run(self) -> None:
        """Let the cluster live through chaos and then calm, in which there must soon be a master that stays."""
        async with trio.open_nursery() as self.nursery:
            for node in self.nodes:
                self.nursery.start_soon(node.run)
            self._chaos.begin()
            if await self._wait(CHAOS, lambda: False):
                self._mend()
                await self._watch_calm()
            self.nursery.cancel_scope.cancel()
        self.report.failovers = sum(sentinel.failovers for sentinel in self.sentinels)
        self.report.seconds = self.timeline.now

    async def _watch_calm(self) -> None:
        await self._wait(SETTLE, self._is_settled)
        if not self._is_settled():
            self.oracle.fail("the Sentinels do not agree")
            return
        self.oracle.note("settled")
        await self._wait(CHAOS + QUIET - self.timeline.now, lambda: False)
        await self._wait(SOON, lambda: self.find_master() is not None)
        master = self.find_master()
        if master is None:
            self.oracle.fail("nobody is master")
            return
        await self._wait(STAY, lambda: False)
        if self.find_master() != master:
            self.oracle.fail(f"{master} did not stay master")
        if self.fate.single:
            lost = self.oracle.acknowledged & ~self.find_primary().written
            if lost:
                self.oracle.fail(f"{lost.bit_count()} acknowledged writes are lost")

    async def _wait(self, seconds: float, ready: Callable[[], bool]) -> bool:
        """Wait so long, or until `ready`; return whether all is well."""
        end = self.timeline.now + seconds
        while (left := end - self.timeline.now) > 0 and not self.oracle.failed and not ready():
            step = min(0.5, left)
            await trio.sleep(step)
        return not self.oracle.failed

    def _mend(self) -> None:
        self.oracle.note("all is mended")
        self.calm = True
        self.network.heal()
        for server in self.servers:
            server.restart(wiped=False)

    def _is_settled(self) -> bool:
        master = self.sentinels[0].master
        views = {(sentinel.master.host, sentinel.config_epoch) for sentinel in self.sentinels}
        replicas = [server for server in self.servers if server is not master]
        return (
            len(views) == 1
            and master.upstream is None
            and all(master.acknowledged.get(r, (-1, 0))[0] >= 0 for r in replicas)
        )


def simulate(seed: int, variant: Variant = SOUND) -> Report:
    """Run a cluster from `seed` and return what came of it."""
    report, timeline = Report(seed), Timeline()
    collecting = gc.isenabled()
    gc.disable()
    try:
        with _determinism(seed), _installed(variant):
            trio.run(_simulate, report, variant, timeline, clock=timeline)
    finally:
        if collecting:
            gc.enable()
    return report


async def _simulate(report: Report, variant: Variant, timeline: Timeline) -> None:
    await Cluster(report, variant, timeline).run()
    timeline.ended = True


@contextmanager
def _determinism(seed: int) -> Iterator[None]:
    """Make trio's scheduler, which shuffles on purpose, shuffle by `seed`."""
    scheduler: Any = trio._core._run
    before, state = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate()
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    scheduler._r.seed(seed)
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = before
        scheduler._r.setstate(state)


@contextmanager
def _installed(variant: Variant) -> Iterator[None]:
    """Let electors work with the variant's classes."""
    with patch.multiple(
        production,
        Lease=variant.lease,
        Term=variant.term,
        Watch=variant.watch,
    ):
        yield
