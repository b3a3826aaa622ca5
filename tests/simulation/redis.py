"""A Redis server among three: scripts, asynchronous replication, WAIT, and what it forgets when it dies."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from math import inf
from random import Random
from typing import Any

from hachat.core.errors import StoreUnavailable
from hachat.core.lease import ALONE, Refused, Token
from tests.cluster.fake_lease import FakeServer, State
from tests.simulation.network import Host, Network
from tests.simulation.replication import WAIT_TIME, Copy, Follower, Reply, Waits, by_age
from tests.simulation.timeline import Action, Timeline

Operation = Callable[[FakeServer], Any]

MAX_LAG = 2.0
"""Seconds for which a replica that says nothing still counts for `min-replicas-to-write`."""

_BEAT = 1.0
_DECADE = 3e8
"""Where the servers' clocks stand at the beginning, in seconds."""


class Redis:
    """One server; it writes down every change before it acknowledges it, so that only a wipe makes it forget."""

    def __init__(
        self,
        box: int,
        timeline: Timeline,
        network: Network,
        draw: Random,
        *,
        make_scripts: Callable[..., FakeServer],
        min_replicas: int,
    ) -> None:
        self.host = Host(f"r{box}", box)
        self.upstream: Redis | None = None
        self.on_promote: Callable[[str], object] = lambda _: None
        self.alive = True
        self.thaws_at = -inf
        self.followers: list[Follower] = []
        self.written = 0
        self._newest = ""
        self._copied: State | None = None
        self.offset = 0
        self.acknowledged: dict[Redis, tuple[int, float]] = {}
        self._timeline, self._network, self._random = timeline, network, draw
        self._make_scripts = make_scripts
        self._min_replicas = min_replicas
        self._shift = _DECADE + draw.uniform(-1.0, 1.0)
        self._waits = Waits(timeline, self.when_awake)
        self._shipped: dict[Redis, float] = {}
        self.history = draw.getrandbits(60)
        self.run = 0
        self._start(State())
        timeline.after(draw.uniform(0, _BEAT), self._beat)

    def _start(self, state: State) -> None:
        self.run += 1
        run_id = f"{self.host.name}.{self.run}"
        self.scripts = self._make_scripts(self.read_clock, run_id=run_id, state=state)
        self._newest, self._copied = self.scripts.newest, None

    def read_clock(self) -> float:
        """Return what this host takes for the time of day, in seconds."""
        return self._timeline.now + self._shift

    def set_clock(self, seconds: float) -> None:
        """Let the host's clock jump."""
        self._shift += seconds

    @property
    def awake(self) -> bool:
        """Whether it answers at this moment."""
        return self.alive and self._timeline.now >= self.thaws_at

    def when_awake(self, action: Action) -> None:
        """Do `action` now, or when the process runs again: what was sent to it waits in its socket."""
        if self._timeline.now < self.thaws_at:
            self._timeline.at(self.thaws_at, lambda: self.when_awake(action))
        elif self.alive:
            action()

    # What clients see.

    def ask(self, config_epoch: int, operation: Operation, replicas: int, reply: Reply) -> None:
        """Run a script; reply its answer, or why there is none, once so many replicas have it, or have not in time."""
        if self.upstream is not None:
            reply(StoreUnavailable("READONLY"))
            return
        self.scripts.config_epoch = config_epoch
        self.scripts.writable = self._has_replicas()
        try:
            answer = operation(self.scripts)
        except StoreUnavailable as refusal:
            reply(refusal)
            return
        finally:
            self.scripts.writable = True
        if self.scripts.past:
            self._publish()
            self._waits.add(self.offset, replicas, reply, answer=answer)
        else:
            self._tell(answer, replicas, reply)

    def _tell(self, answer: Any, replicas: int, reply: Reply) -> None:
        """Reply an answer that came without a change; only that a lease is lost counts without replicas."""
        attached = sum(known >= 0 for known, _ in self.acknowledged.values())
        if answer is False or attached >= replicas:
            reply(answer)
        else:
            alone = Refused("ALONE", ALONE)
            self._timeline.after(WAIT_TIME, lambda: self.when_awake(lambda: reply(alone)))

    def write(self, token: Token, bit: int, replicas: int, reply: Reply) -> None:
        """Keep one more datum for the master `token`, and nobody else."""
        if self.upstream is None and self._has_replicas() and self.scripts.accepts(token):
            self.written |= 1 << bit
            self._publish()
            self._waits.add(self.offset, replicas, reply, answer=True)
        else:
            reply(StoreUnavailable("FENCED"))

    def forget_lease(self) -> None:
        """Lose the key of the lease alone, as by a `DEL`."""
        self.scripts.forget()
        self._publish()

    def step_down(self, to: str) -> None:
        """Ask the master to step down."""
        self.scripts.step_down(to)
        self._publish()

    def _has_replicas(self) -> bool:
        fresh = self._timeline.now - MAX_LAG
        return sum(at >= fresh for _, at in self.acknowledged.values()) >= self._min_replicas

    def _drop_clients(self) -> None:
        self._waits.drop()
        followers, self.followers = self.followers, []
        for follower in followers:
            follower.hang_up()

    # What replicas see.

    def _publish(self) -> None:
        past = self.scripts.past
        if past:
            self._copied = past[-1][1]
            past.clear()
        self.offset += 1
        self._ship_all()
        events = self.scripts.state.events
        if events and events[-1].sight.event != self._newest:
            for event in events[-2:]:
                if by_age(event.sight.event) > by_age(self._newest or "0-0"):
                    for follower in list(self.followers):
                        follower.push(event)
            self._newest = events[-1].sight.event

    def _copy(self) -> Copy:
        if self._copied is None:
            self._copied = copy(self.scripts.state)
        return Copy(self.history, self.offset, self._copied, self.written)

    def _ship_all(self) -> None:
        if self.acknowledged:
            copied = self._copy()
            for replica in self.acknowledged:
                self._ship(replica, copied)

    def _ship(self, replica: Redis, copied: Copy) -> None:
        run = self.run
        self._shipped[replica] = self._timeline.now
        self._network.stream(
            self,
            self.host,
            replica.host,
            lambda: replica.when_awake(lambda: replica.receive(self, run, copied)),
        )

    def receive(self, source: Redis, run: int, copied: Copy) -> None:
        """Take over what the server that is followed has sent."""
        if source is not self.upstream or run != source.run:
            return
        if copied.history == self.history and copied.offset < self.offset:
            return
        news = (copied.history, copied.offset) != (self.history, self.offset)
        self.history, self.offset = copied.history, copied.offset
        self.scripts.state = self._copied = copied.state
        self.written = copied.written
        if news:
            self._ship_all()
        self._acknowledge()

    def _acknowledge(self) -> None:
        upstream = self.upstream
        if upstream is not None:
            history, offset = self.history, self.offset
            self._network.stream(
                self,
                self.host,
                upstream.host,
                lambda: upstream.when_awake(lambda: upstream.hear(self, history, offset)),
            )

    def hear(self, replica: Redis, history: int, offset: int) -> None:
        """Take note of what a replica says it has, and send it what it lacks."""
        if replica.upstream is not self:
            return
        known = offset if history == self.history else -1
        self.acknowledged[replica] = known, self._timeline.now
        if known < self.offset and self._shipped.get(replica, -inf) < self._timeline.now - 0.3:
            self._ship(replica, self._copy())
        self._waits.settle([known for known, _ in self.acknowledged.values()])

    def _beat(self) -> None:
        self._timeline.after(_BEAT, self._beat)
        if self.awake:
            self._acknowledge()

    # What Sentinels and fate do to it.

    def promote(self) -> None:
        """Be a master: its history is its own from here."""
        if self.upstream is not None:
            self.on_promote(self.scripts.run_id)
            self.upstream.acknowledged.pop(self, None)
            self.upstream = None
            self.history = self._random.getrandbits(60)
            self.scripts.state = copy(self.scripts.state)
            self._newest = self.scripts.newest
            self.acknowledged.clear()
            self._drop_clients()

    def follow(self, upstream: Redis) -> None:
        """Be a replica; what the other has not is lost."""
        if self.upstream is not upstream and upstream is not self:
            if self.upstream is not None:
                self.upstream.acknowledged.pop(self, None)
            self.upstream = upstream
            self._drop_clients()
            self._acknowledge()

    def kill(self) -> None:
        """End the process."""
        self.alive = False
        self._drop_clients()
        for other in self.acknowledged:
            self._shipped.pop(other, None)
        self.acknowledged.clear()
        if self.upstream is not None:
            self.upstream.acknowledged.pop(self, None)

    def restart(self, *, wiped: bool) -> None:
        """Start the process again, as what it was, with its data or without."""
        if self.alive:
            return
        self.alive = True
        self.thaws_at = -inf
        self.history = self._random.getrandbits(60)
        if wiped:
            self.written = 0
            self.offset = 0
        self._start(State() if wiped else copy(self.scripts.state))

    def freeze(self, seconds: float) -> None:
        """Stop the process for so long."""
        self.thaws_at = max(self.thaws_at, self._timeline.now + seconds)
