"""The nemesis: it kills, freezes and cuts off, about once a second, as a seed has it."""

from __future__ import annotations

import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from subprocess import Popen
from time import monotonic

import trio

from hachat.core.errors import StoreError
from tests.waiting import until
from tests.whole.cluster import Cluster

MOST_DOWN = 2
"""Nodes that are killed or frozen at a time; somebody must be left to go on."""

_LEAVES_WITHIN = 15.0
"""Seconds a node that was told to leave may take; then it is killed."""


@dataclass(frozen=True)
class Kind:
    """A way to do harm: how often among others it is chosen, and for how long it lasts, seconds."""

    weight: float
    shortest: float
    longest: float


KINDS: Mapping[str, Kind] = {
    "kill": Kind(2.0, 0.2, 4.0),  # the process; another is started afterwards
    "freeze": Kind(2.0, 0.5, 14.0),  # the process stands still, and wakes up afterwards
    "leave": Kind(1.0, 0.1, 1.0),  # the process is told to leave; another is started afterwards
    "cut": Kind(2.0, 0.0, 0.0),  # all its connections to Redis
    "swallow": Kind(2.0, 0.1, 3.0),  # answers of Redis that it has carried out are lost
    "hold": Kind(2.0, 0.2, 6.0),  # questions and answers are late
    "stall": Kind(0.5, 0.3, 3.0),  # Redis itself stands still
}


@dataclass(frozen=True)
class Blow:
    """What is done when; `pick` chooses among the nodes, unless it is meant for the `master`."""

    at: float
    kind: str
    seconds: float
    pick: float
    master: bool


def plan(seed: int, seconds: float) -> list[Blow]:
    """Return the blows of a seed; the first comes after a second, and all are over soon after `seconds`."""
    dice = random.Random(seed)
    blows: list[Blow] = []
    at = 1.0
    while at < seconds:
        (kind,) = dice.choices(list(KINDS), [kind.weight for kind in KINDS.values()])
        length = dice.uniform(KINDS[kind].shortest, KINDS[kind].longest)
        most = max(KINDS[kind].shortest, seconds - at)
        blows.append(Blow(at, kind, min(length, most), dice.random(), dice.random() < 1 / 2))
        at += dice.uniform(0.5, 1.5)
    return blows


@dataclass
class Nemesis:
    """Carries out a plan on a cluster; `log` says what was done, `killed` when each process died, monotonic, by its pid.

    `down` are nodes that are killed or frozen, `troubled` those whose links suffer.
    """

    cluster: Cluster
    began: float = field(default_factory=monotonic)
    log: list[str] = field(default_factory=list)
    killed: dict[int, float] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    troubled: set[str] = field(default_factory=set)
    stalled: bool = False

    async def rage(self, blows: Sequence[Blow]) -> None:
        """Carry out `blows`, and see to it that in the end all is as it was."""
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for blow in blows:
                await trio.sleep_until(start + blow.at)
                if (name := await self._choose(blow)) is None:
                    self._note(blow.kind, "nobody", "spared")
                else:
                    nursery.start_soon(self._strike, blow, name)

    async def _choose(self, blow: Blow) -> str | None:
        if blow.kind == "stall":
            return None if self.stalled else "Redis"
        if blow.kind in {"kill", "freeze", "leave"} and len(self.down) >= MOST_DOWN:
            return None
        free = sorted(self.cluster.daemons.keys() - self.down - self.troubled)
        master = await self._find_master() if blow.master else None
        if master in free:
            return master
        return free[int(blow.pick * len(free))] if free else None

    async def _find_master(self) -> str | None:
        try:
            return (await self.cluster.status()).master
        except StoreError:
            return None

    async def _strike(self, blow: Blow, name: str) -> None:
        self._note(blow.kind, name, f"for {blow.seconds:.1f} s")
        strike: Callable[[str, float], Awaitable[None]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "leave": self._let_leave,
            "cut": self._cut,
            "swallow": self._swallow,
            "hold": self._hold,
            "stall": self._stall,
        }[blow.kind]
        await strike(name, blow.seconds)

    async def _kill(self, name: str, seconds: float) -> None:
        async with self._held_down(name):
            self._end(name)
            await trio.sleep(seconds)
            self.cluster.restart(name)

    async def _freeze(self, name: str, seconds: float) -> None:
        async with self._held_down(name):
            await _stand_still(self.cluster.daemons[name].process, seconds)

    async def _let_leave(self, name: str, seconds: float) -> None:
        process = self.cluster.daemons[name].process
        async with self._held_down(name):
            process.send_signal(signal.SIGTERM)
            with trio.move_on_after(_LEAVES_WITHIN):
                await until(lambda: process.poll() is not None, 2 * _LEAVES_WITHIN)
            if process.poll() is None:
                self._note("leave", name, "did not in time")
                self._end(name)
            await trio.sleep(seconds)
            self.cluster.restart(name)

    async def _cut(self, name: str, _: float) -> None:
        self.cluster.proxies[name].cut()

    async def _swallow(self, name: str, seconds: float) -> None:
        proxy = self.cluster.proxies[name]
        async with self._in_trouble(name):
            proxy.swallow_replies = True
            await trio.sleep(seconds)
            proxy.cut()  # who has lost an answer must not take the next one for it
            proxy.swallow_replies = False

    async def _hold(self, name: str, seconds: float) -> None:
        proxy = self.cluster.proxies[name]
        async with self._in_trouble(name):
            proxy.hold()
            await trio.sleep(seconds)
            proxy.release()

    async def _stall(self, _: str, seconds: float) -> None:
        self.stalled = True
        await _stand_still(self.cluster.server.process, seconds)
        self.stalled = False

    def _end(self, name: str) -> None:
        daemon = self.cluster.daemons[name]
        daemon.kill()
        self.killed[daemon.process.pid] = monotonic()

    @asynccontextmanager
    async def _held_down(self, name: str) -> AsyncIterator[None]:
        self.down.add(name)
        yield
        self._note("up", name, "again")
        self.down.discard(name)

    @asynccontextmanager
    async def _in_trouble(self, name: str) -> AsyncIterator[None]:
        self.troubled.add(name)
        yield
        self.troubled.discard(name)

    def _note(self, what: str, whom: str, how: str) -> None:
        self.log.append(f"{monotonic() - self.began:6.1f}  {what:<8} {whom:<8} {how}")


async def _stand_still(process: Popen[bytes], seconds: float) -> None:
    process.send_signal(signal.SIGSTOP)
    try:
        await trio.sleep(seconds)
    finally:
        process.send_signal(signal.SIGCONT)
