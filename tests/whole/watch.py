"""Looks at a tortured cluster all the time: who recovers how soon, who falls over, what is left in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

import msgspec
import trio

from hachat.core.errors import StoreError
from hachat.store.keys import GROUP, LANES
from hachat.store.members import Member
from tests.whole.cluster import Cluster
from tests.whole.nemesis import Nemesis

STAY = (
    *("lease", "meta", "history", "events", "nodes", "members", "gone", "counters"),
    *("layout", "seen:", "ready:", "trail", "slots", "turn", "refused", "life", "met:"),
)
"""Beginnings of the names of keys that stay when nothing waits: see the table in hachat/store/keys.py."""

_AGAIN = 0.1


@dataclass(frozen=True)
class Recovery:
    """A node died with conversations in hand, and `seconds` later it had none; time in which nobody was well is not counted."""

    node: str
    seconds: float


@dataclass
class Watch:
    """What was seen so far; `quiet` while all nodes are up and nothing waits."""

    cluster: Cluster
    nemesis: Nemesis
    recoveries: list[Recovery] = field(default_factory=list)
    fallen: list[str] = field(default_factory=list)
    quiet: bool = False
    _names: dict[int, str] = field(default_factory=dict)
    _waiting: dict[int, float] = field(default_factory=dict)
    _over: set[int] = field(default_factory=set)

    async def run(self) -> None:
        """Look until cancelled."""
        last = monotonic()
        while True:
            await trio.sleep(_AGAIN)
            now = monotonic()
            try:
                await self._look(now - last)
            except StoreError:
                self.quiet = False
            last = now

    async def count_terms(self) -> int:
        """Return how many masters there have been."""
        entries = await self.cluster.link.command("XRANGE", self._key("history"), "-", "+")
        return sum(fields[1] == b"acquired" for _, fields in entries)

    async def read_dead(self) -> list[str]:
        """Return what was given up, and why."""
        letters = await self.cluster.link.command("XRANGE", self._key("dead"), "-", "+")
        return [" ".join(field.decode() for field in fields) for _, fields in letters]

    async def _look(self, elapsed: float) -> None:
        for name, daemon in self.cluster.daemons.items():
            if daemon.process.poll() is not None and name not in self.nemesis.down:
                self.fallen.append(f"{name} ended with {daemon.process.returncode}")
                self.nemesis.down.add(name)
        well = await self._find_well()
        held = await self._find_held()
        self._time_recoveries(held, elapsed if well else 0.0)
        waiting = await _read_counters(self.cluster)
        complete = len(well) == len(self.cluster.daemons)
        self.quiet = complete and not held and not any(waiting.values())

    async def _find_well(self) -> set[str]:
        """Return the nodes that could take over something."""
        command = self.cluster.link.command
        (seconds, _), members, nodes = (
            await command("TIME"),
            await command("HVALS", self._key("members")),
            await command("ZRANGE", self._key("nodes"), 0, -1, "WITHSCORES"),
        )
        for member in (msgspec.json.decode(data, type=Member) for data in members):
            self._names[member.pid] = member.consumer
        lives = {
            consumer.decode()
            for consumer, end in zip(nodes[::2], nodes[1::2], strict=True)
            if float(end) > int(seconds) * 1000
        }
        return {
            name
            for name, daemon in self.cluster.daemons.items()
            if name not in self.nemesis.down | self.nemesis.troubled and not self.nemesis.stalled
            if self._names.get(daemon.process.pid) in lives
        }

    async def _find_held(self) -> set[str]:
        held: set[str] = set()
        for lane in LANES:
            answer = await self.cluster.link.command(
                "XPENDING", self.cluster.keys.ready(lane), GROUP
            )
            held |= {consumer.decode() for consumer, _ in answer[3] or ()}
        return held

    def _time_recoveries(self, held: set[str], elapsed: float) -> None:
        for pid in self.nemesis.killed.keys() - self._over:
            name = self._names.get(pid, "")
            if name in held:
                self._waiting[pid] = self._waiting.get(pid, 0.0) + elapsed
                continue
            self._over.add(pid)
            if pid in self._waiting:
                self.recoveries.append(Recovery(name, self._waiting[pid]))

    def _key(self, name: str) -> str:
        return self.cluster.keys.of(name)


async def find_leftovers(cluster: Cluster) -> Sequence[str]:
    """Return what is in Redis although nothing waits: keys, entries of ready streams, and counters that are not zero."""
    command, prefix = cluster.link.command, cluster.keys.of("")
    names = [key.decode().removeprefix(prefix) for key in await command("KEYS", prefix + "*")]
    left = [name for name in names if not name.startswith(STAY) and name != "dead"]
    counters = await _read_counters(cluster)
    left += [f"{name} = {count}" for name, count in counters.items() if count]
    lengths = {lane: await command("XLEN", cluster.keys.ready(lane)) for lane in LANES}
    left += [f"{length} entries of ready:{lane}" for lane, length in lengths.items() if length]
    return sorted(left)


async def _read_counters(cluster: Cluster) -> Mapping[str, int]:
    """Return how many messages and replies are counted as waiting."""
    fields = await cluster.link.command("HGETALL", cluster.keys.of("counters"))
    counters = {name.decode(): int(n) for name, n in zip(fields[::2], fields[1::2], strict=True)}
    return {name: n for name, n in counters.items() if name.startswith(("waiting:", "outgoing"))}
