"""What fate does to a cluster, drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.redis import Redis

if TYPE_CHECKING:
    from tests.simulation.world import Cluster

CHAOS = 40.0
"""Seconds after which all is mended."""

RETURNED = 20.0
"""When, in the story of `Return`, the deposed server and the replica see each other again."""

_START = 4.0
"""Seconds in which every node hears of the first term: one that knows of none may trust a wiped Redis."""


@dataclass(frozen=True)
class Fate:
    """The conditions of a run.

    `clean`: the ways between boxes break all together, or only those that nodes and Sentinels use among themselves.
    Without it two Sentinels may see what a third server does not, and I1 is not promised: overlaps are counted.
    `single`: one fault in all, after which nothing that was acknowledged may be missing.
    """

    min_replicas: int
    clean: bool
    single: bool
    misjudges: float

    @classmethod
    def draw(cls, draw: Random) -> Fate:
        """Return the conditions that follow from a seed."""
        return cls(
            min_replicas=0 if draw.random() < 0.15 else 1,
            clean=draw.random() < 0.85,
            single=draw.random() < 0.12,
            misjudges=draw.choice([0.0, 0.0, 0.2]),
        )


class Chaos:
    """Faults, one after the other, each in its time."""

    def __init__(self, cluster: Cluster, fate: Fate) -> None:
        self._cluster, self._fate = cluster, fate
        self._draw = cluster.random
        faults = {**_SOUND, **({} if fate.single else _WORSE)}
        if not fate.clean:
            faults |= _UNCLEAN
        self._faults: list[Fault] = [f for f, weight in faults.items() for _ in range(weight)]

    def begin(self) -> None:
        """Put the faults down in the timeline."""
        draw, timeline = self._draw, self._cluster.timeline
        now = _START + draw.uniform(0.0, 4.0)
        if self._fate.single:
            timeline.at(now + draw.uniform(0.0, 10.0), self._strike)
            return
        pace = draw.choice([1.0, 2.0, 3.0])
        while now < CHAOS - 4.0:
            timeline.at(now, self._strike)
            now += draw.expovariate(1 / pace)

    def _strike(self) -> None:
        fault = self._draw.choice(self._faults)
        fault(self)

    def _last(self, longest: float) -> float:
        """Return for how long a fault lasts: seldom long, and not into the calm."""
        seconds = self._draw.choice([0.3, 1.0, 1.0]) * self._draw.uniform(0.1, longest)
        return min(seconds, CHAOS - self._cluster.timeline.now)

    def _note(self, what: str) -> None:
        self._cluster.oracle.note(what)

    def cut_node_and_redis(self) -> None:
        """A node and a server do not reach each other."""
        node = self._draw.choice(self._cluster.nodes)
        server = self._draw.choice([self._cluster.find_primary(), *self._cluster.servers])
        seconds = self._last(12.0)
        self._note(f"cut {node.name} | {server.host.name} for {seconds:.2f}")
        self._cluster.network.cut(node.host, server.host, seconds)

    def slow_then_cut(self) -> None:
        """Answers to the master are ever later, and then there are none."""
        node, server = self._cluster.find_master_node(), self._cluster.find_primary()
        self._note(f"{node.name} | {server.host.name} is slow")
        network, seconds = self._cluster.network, self._draw.uniform(1.0, 3.0)
        network.lag(server.host, node.host, seconds)

        def cut() -> None:
            if not self._cluster.calm:
                self._note(f"cut {node.name} | {server.host.name}")
                network.cut(node.host, server.host, self._last(12.0))

        self._cluster.timeline.after(seconds, cut)

    def cut_node_and_sentinels(self) -> None:
        """A node reaches some Sentinels no more, or none."""
        node, seconds = self._draw.choice(self._cluster.nodes), self._last(12.0)
        some = self._draw.sample(self._cluster.sentinels, self._draw.randint(1, 3))
        self._note(f"cut {node.name} | {', '.join(s.host.name for s in some)} for {seconds:.2f}")
        for sentinel in some:
            self._cluster.network.cut(node.host, sentinel.host, seconds)

    def cut_sentinels(self) -> None:
        """Two Sentinels do not reach each other."""
        one, other = self._draw.sample(self._cluster.sentinels, 2)
        self._note(f"cut {one.host.name} | {other.host.name}")
        self._cluster.network.cut(one.host, other.host, self._last(12.0))

    def cut_off_box(self) -> None:
        """A machine, with all it carries, is off the network."""
        box, seconds = self._draw.randrange(3), self._last(12.0)
        self._note(f"box {box} is cut off for {seconds:.2f}")
        self._cluster.network.cut_off(box, seconds)

    def cut_servers(self) -> None:
        """Two Redis servers do not reach each other."""
        one, other = self._draw.sample(self._cluster.servers, 2)
        self._note(f"cut {one.host.name} | {other.host.name}")
        self._cluster.network.cut(one.host, other.host, self._last(12.0))

    def cut_sentinel_and_redis(self) -> None:
        """A Sentinel does not reach a server that others reach."""
        one = self._draw.choice(self._cluster.sentinels)
        other = self._draw.choice(self._cluster.servers)
        self._note(f"cut {one.host.name} | {other.host.name}")
        self._cluster.network.cut(one.host, other.host, self._last(12.0))

    def pause(self) -> None:
        """A process stands still, perhaps just before it says something."""
        node, seconds = self._draw.choice(self._cluster.nodes), self._last(10.0)
        if self._draw.random() < 0.5:
            self._note(f"{node.name} stands still at its next message for {seconds:.2f}")
            node.stop_at_next_message(seconds)
        else:
            self._note(f"{node.name} stands still for {seconds:.2f}")
            node.freeze(seconds)

    def suspend(self) -> None:
        """A machine is suspended."""
        node, seconds = self._draw.choice(self._cluster.nodes), self._last(15.0)
        self._note(f"{node.name} is suspended for {seconds:.2f}")
        node.freeze(seconds, suspended=True)

    def crash(self) -> None:
        """A process dies; mostly the master's."""
        node = self._draw.choice([self._cluster.find_master_node(), *self._cluster.nodes])
        self._note(f"{node.name} crashes")
        node.crash()

    def stop(self) -> None:
        """A process ends in order, and another starts."""
        node = self._draw.choice([self._cluster.find_master_node(), *self._cluster.nodes])
        to = self._draw.choice(["", "a", "b", "c"])
        self._note(f"{node.name} stops, in favour of {to or 'anyone'}")
        node.stop(to)

    def step_down(self) -> None:
        """An operator moves the master."""
        to = self._draw.choice(["", "a", "b", "c"])
        self._note(f"step-down to {to or 'anyone'}")
        primary = self._cluster.find_primary()
        if primary.awake:
            primary.step_down(to)

    def delete_key(self) -> None:
        """Somebody deletes the lease's key."""
        self._note("DEL lease")
        if (primary := self._cluster.find_primary()).awake:
            primary.forget_lease()

    def kill_redis(self) -> None:
        """A server dies and comes back with its data, sooner or later."""
        server = self._pick_server()
        seconds = self._draw.choice([0.05, 0.5, self._draw.uniform(1.0, 12.0)])
        self._note(f"{server.host.name} dies for {seconds:.2f}")
        server.kill()
        self._cluster.timeline.after(seconds, lambda: server.restart(wiped=False))

    def wipe_redis(self) -> None:
        """A server dies and comes back without its data."""
        server = self._pick_server()
        seconds = self._draw.choice([0.05, 0.5, self._draw.uniform(1.0, 12.0)])
        self._note(f"{server.host.name} dies for {seconds:.2f} and is wiped")
        self._cluster.report.wipes += 1
        server.kill()
        self._cluster.timeline.after(seconds, lambda: server.restart(wiped=True))

    def freeze_redis(self) -> None:
        """A server stands still."""
        server, seconds = self._pick_server(), self._last(8.0)
        self._note(f"{server.host.name} stands still for {seconds:.2f}")
        server.freeze(seconds)

    def fail_over(self) -> None:
        """An operator asks for a failover of Redis, at Sentinels that agree and are not at it already.

        A Sentinel that is out of touch would count it as another counted one before, and real ones never agree after that.
        """
        sentinels = self._cluster.sentinels
        sentinel = self._draw.choice(sentinels)
        if sentinel.sees_all() and len({each.config_epoch for each in sentinels}) == 1:
            self._note(f"SENTINEL FAILOVER at {sentinel.host.name}")
            sentinel.fail_over(force=True)

    def freeze_sentinels(self) -> None:
        """One Sentinel stands still, or so many that there is no quorum."""
        some = self._draw.sample(self._cluster.sentinels, self._draw.choice([1, 1, 2]))
        seconds = self._last(12.0)
        names = ", ".join(sentinel.host.name for sentinel in some)
        self._note(f"{names} stand still for {seconds:.2f}")
        for sentinel in some:
            sentinel.freeze(seconds)

    def set_clock(self) -> None:
        """The clock of a Redis host jumps by up to an hour."""
        server = self._draw.choice([self._cluster.find_primary(), *self._cluster.servers])
        seconds = self._draw.choice([-3600.0, -4.0, 4.0, 3600.0])
        self._note(f"the clock of {server.host.name} jumps by {seconds:+.0f}")
        server.set_clock(seconds)

    def _pick_server(self) -> Redis:
        return self._draw.choice([self._cluster.find_primary(), *self._cluster.servers])


class Return(Chaos):
    """A replica that was down while Redis failed over comes back to the deposed server, which can then confirm again.

    Node a reaches one Sentinel, which has not heard of the failover, and then none.
    """

    def begin(self) -> None:
        """Put that down in the timeline."""
        timeline = self._cluster.timeline
        timeline.at(8.0, self._depose)
        timeline.at(13.0, lambda: self._cluster.servers[2].restart(wiped=False))
        timeline.at(RETURNED + 0.6, lambda: self._isolate(0))

    def _depose(self) -> None:
        self._cluster.network.cut_off(0, RETURNED - self._cluster.timeline.now)
        self._cluster.servers[2].kill()
        self._isolate(1)

    def _isolate(self, first: int) -> None:
        for sentinel in self._cluster.sentinels[first:]:
            self._cluster.network.cut(self._cluster.nodes[0].host, sentinel.host, 19.0)


Fault = Callable[[Chaos], None]

_SOUND: dict[Fault, int] = {
    Chaos.cut_node_and_redis: 2,
    Chaos.slow_then_cut: 2,
    Chaos.cut_node_and_sentinels: 1,
    Chaos.cut_sentinels: 1,
    Chaos.cut_off_box: 2,
    Chaos.pause: 3,
    Chaos.suspend: 2,
    Chaos.crash: 3,
    Chaos.stop: 1,
    Chaos.step_down: 1,
    Chaos.kill_redis: 2,
    Chaos.freeze_redis: 2,
    Chaos.freeze_sentinels: 1,
}
"""Faults that lose nothing by themselves, and how often each is drawn."""

_WORSE: dict[Fault, int] = {
    Chaos.delete_key: 1,
    Chaos.wipe_redis: 1,
    Chaos.fail_over: 2,
    Chaos.set_clock: 2,
}
"""Faults that may lose what was acknowledged: without data, and with another clock or a failover nobody needed."""

_UNCLEAN: dict[Fault, int] = {Chaos.cut_servers: 3, Chaos.cut_sentinel_and_redis: 3}
"""Faults that leave an old master with a replica, or show it dead to some only."""
