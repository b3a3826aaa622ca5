"""A cluster in virtual time: real electors, a network and a Redis that fail in every way we know, and an oracle.

Everything follows from the seed.  The oracle watches what matters to the outside: who acts, when, under which token.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import trio
import trio.testing

from hachat.cluster import elector as production
from hachat.cluster.elector import Elector, Term
from hachat.core.lease import Lease, Token
from tests.cluster.fake_lease import FakeServer, Rules, State
from tests.cluster.fake_node import CHAOS, Node, Process

CALM = 40.0
"""Seconds after the chaos; after half of them there must be a master, who stays."""

NODES = ("a", "b", "c")
FAULTS = ("cut", "cut", "pause", "crash", "resign", "step-down", "forget", "die", "split", "wipe")


@dataclass(frozen=True)
class Variant:
    """What runs: the real thing, or the same with one rule broken."""

    rules: Rules = field(default_factory=Rules)
    elector: type[Elector] = Elector
    lease: type[Lease] = Lease
    term: type[Term] = Term


SOUND = Variant()


@dataclass
class Report:
    """What came of a run."""

    violation: str = ""
    terms: list[Token] = field(default_factory=list)
    sent: int = 0
    log: list[tuple[float, str]] = field(default_factory=list)


class World:
    """All there is, and the oracle that watches it."""

    def __init__(self, seed: int, variant: Variant, nursery: trio.Nursery) -> None:
        self.random = random.Random(seed)
        self.elector = variant.elector
        self._rules = variant.rules
        self.nursery = nursery
        self.report = Report()
        self.server = FakeServer(trio.current_time, rules=variant.rules)
        self.nodes = [Node(self, name) for name in NODES]
        self._actor: tuple[Token, Process] | None = None
        self._seen: dict[str, tuple[Token, bool]] = {}

    def fail(self, what: str) -> None:
        """Note what must never happen, and end the run."""
        self.note(what)
        self.report.violation = self.report.violation or f"{trio.current_time():.3f} s: {what}"
        self.nursery.cancel_scope.cancel()

    def inspect(self, server: FakeServer) -> None:
        """See that the key on one server never goes back to a term that was over there."""
        lease, state = server.state.lease, server.state
        highest, given_back = self._seen.get(server.run_id, (lease, False))
        if lease is not None and highest is not None:
            if (lease, not given_back) < (highest, True):
                self.fail(f"{lease} came back after {highest}")
            self._seen[server.run_id] = lease, False
        elif highest is not None and state.holder == highest:
            self._seen[server.run_id] = highest, not state.held

    def see_write(self, token: Token, server: FakeServer) -> None:
        """See that only the holder's writes are taken."""
        self.report.sent += 1
        if not server.holds(token):
            self.fail(f"a write of {token} was accepted")

    def note(self, what: str) -> None:
        """Write the story of this run."""
        self.report.log.append((round(trio.current_time(), 6), what))

    @contextmanager
    def acting(self, token: Token, process: Process) -> Iterator[None]:
        """Note that `process` acts in the name of `token`, and see that nobody else does and nobody later did."""
        if self._actor is not None:
            self.fail(f"{token} acts while {self._actor[0]} still does")
        if self.report.terms and token <= self.report.terms[-1]:
            self.fail(f"{token} comes after {self.report.terms[-1]}")
        self._actor = (token, process)
        self.report.terms.append(token)
        self.note(f"{token} begins")
        try:
            yield
        finally:
            self.stop_acting(process)

    def stop_acting(self, process: Process) -> None:
        """Note that `process` does nothing any more, in whosever name."""
        if self._actor is not None and self._actor[1] is process:
            self.note(f"{self._actor[0]} ends")
            self._actor = None

    async def run(self) -> None:
        """Let the nodes live through chaos and then calm, in which there must soon be a master that stays."""
        for node in self.nodes:
            self.nursery.start_soon(node.run)
        await self._torment()
        await trio.sleep_until(CHAOS + CALM / 2)
        master = self._find_master()
        if master is None:
            self.fail("nobody is master")
        await trio.sleep_until(CHAOS + CALM)
        if self._find_master() != master:
            self.fail(f"{master} did not stay master")

    def _find_master(self) -> str | None:
        terms = [node.process.elector.term for node in self.nodes if node.process is not None]
        return next((term.token for term in terms if term is not None), None)

    async def _torment(self) -> None:
        draw = self.random
        await trio.sleep(draw.uniform(3.0, 8.0))
        while trio.current_time() < CHAOS - 10:
            await trio.sleep(draw.uniform(0.5, 6.0))
            node = draw.choice(self.nodes)
            fault = draw.choice(FAULTS)
            self.note(f"{fault} {node.name}")
            match fault:
                case "cut":
                    node.cut(draw.uniform(0.5, 12.0))
                case "pause":
                    node.pause(draw.uniform(0.2, 8.0))
                case "crash":
                    node.crash()
                case "resign":
                    self.nursery.start_soon(self._resign, draw.choice(["", *NODES]))
                case "step-down":
                    self.server.step_down(draw.choice(["", *NODES]))
                case "forget":
                    self.server.forget()
                case _:
                    await self._fail_over(fault)

    async def _resign(self, to: str) -> None:
        for node in self.nodes:
            if node.process is not None:
                with trio.move_on_after(5.0):
                    await node.process.elector.resign(to)

    async def _fail_over(self, how: str) -> None:
        old, draw = self.server, self.random
        old.primary = False
        state = State() if how == "wipe" else old.recall(draw.choice([0.0, draw.uniform(0, 3.0)]))
        if how != "split":
            old.dead = True
            await trio.sleep(draw.uniform(0.2, 3.0))
        self.server = FakeServer(
            trio.current_time,
            run_id=f"{old.run_id}+",
            config_epoch=old.config_epoch + (how != "wipe"),
            skew=old.skew if how == "wipe" else draw.uniform(-2.0, 2.0),
            state=state,
            rules=self._rules,
        )
        for node in self.nodes:
            self.nursery.start_soon(self._redirect, node, self.server)

    async def _redirect(self, node: Node, server: FakeServer) -> None:
        await trio.sleep(self.random.uniform(0, self.random.choice([0.5, 3.0, 12.0])))
        if self.server is server:
            node.server = server


def simulate(seed: int, variant: Variant = SOUND) -> Report:
    """Run a cluster from `seed` and return what came of it."""
    reports: list[Report] = []
    with determinism(seed), installed(variant):
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(_simulate, seed, variant, reports, clock=clock)
    return reports[0]


async def _simulate(seed: int, variant: Variant, reports: list[Report]) -> None:
    async with trio.open_nursery() as nursery:
        world = World(seed, variant, nursery)
        reports.append(world.report)
        await world.run()
        nursery.cancel_scope.cancel()


@contextmanager
def determinism(seed: int) -> Iterator[None]:
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
def installed(variant: Variant) -> Iterator[None]:
    """Let electors work with the variant's classes."""
    with patch.multiple(production, Lease=variant.lease, Term=variant.term):
        yield
