"""A Sentinel among three: its own view of who is master, its vote, and the failover it may lead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from random import Random

from hachat.store.masters import Answer, Master
from tests.simulation.network import Host, Network
from tests.simulation.redis import Redis
from tests.simulation.timeline import Timeline

DOWN_AFTER = 1.0
QUORUM = 2
MAJORITY = 2
FAILOVER_TIMEOUT = 6.0
DEMOTE_AFTER = 8.0
"""Seconds for which a server that follows the wrong master, or none, is left alone."""

LOST_AFTER = DOWN_AFTER + 20.0
"""Seconds after which a master that says it is a replica counts as down."""

_TICK = 0.2
_HELLO = 2.0


class Sentinel:
    """One Sentinel.  Its pings, votes and hellos take no time; everything it sees and does needs an open way."""

    def __init__(
        self,
        box: int,
        timeline: Timeline,
        network: Network,
        draw: Random,
        *,
        servers: Sequence[Redis],
        tell: Callable[[Sentinel], None],
    ) -> None:
        self.host = Host(f"s{box}", box)
        self.peers: Sequence[Sentinel] = ()
        self.thaws_at = -inf
        self.master = servers[0]
        self.config_epoch = 0
        self.failovers = 0
        self._epoch = 0
        self._voted = 0
        self._failing_over: Redis | None = None
        self._promoted = False
        self._failover_epoch = 0
        self.misjudges = 0.0
        self._not_before = -inf
        self._began = -inf
        self._timeline, self._network, self._random = timeline, network, draw
        self._servers, self._tell = servers, tell
        self._answered = dict.fromkeys(servers, 0.0)
        self._strange: dict[Redis, tuple[Redis | None, float]] = {}
        self._replica_since = inf
        self._hello_at = draw.uniform(0, _HELLO)
        timeline.after(draw.uniform(0, _TICK), self._tick)

    @property
    def awake(self) -> bool:
        """Whether it runs at this moment."""
        return self._timeline.now >= self.thaws_at

    def freeze(self, seconds: float) -> None:
        """Stop the process for so long."""
        self.thaws_at = max(self.thaws_at, self._timeline.now + seconds)

    def answer(self) -> Answer:
        """Say who is master, as `hachat.store.masters.read_answer` understands a real one."""
        name = self.host.name
        if self._failing_over is not None and not self._promoted:
            return Answer(name, None, "failing over", failover_epoch=self.config_epoch)
        if self._is_down(self.master):
            return Answer(name, None, "s_down")
        return Answer(name, Master(self.master.host.name, 6379, self.config_epoch))

    def sees_all(self) -> bool:
        """Return whether it sees all others, and none leads a failover."""
        return all(self._sees(p) and p._failing_over is None for p in self.peers)

    def fail_over(self, *, force: bool = False) -> None:
        """Begin a failover: with a majority's votes, or, if an operator forces it, without."""
        if self._failing_over is not None or not self.awake:
            return
        self._epoch += 1
        self._not_before = self._timeline.now + 2 * FAILOVER_TIMEOUT
        voters = [self, *(peer for peer in self.peers if self._sees(peer))]
        votes = sum(voter.vote(self._epoch, self) for voter in voters)
        if votes < MAJORITY and not force:
            return
        chosen = self._choose()
        if chosen is None:
            return
        self._failing_over, self._promoted, self._began = chosen, False, self._timeline.now
        self._failover_epoch = self._epoch
        self._tell(self)
        # To be told so, and to notice that it was done, takes a look at INFO each.
        self._timeline.after(self._random.uniform(0.05, 0.3), lambda: self._promote(chosen))

    def vote(self, epoch: int, candidate: Sentinel) -> bool:
        """Say whether this Sentinel votes for `candidate`: once in an epoch, for whoever asks first."""
        self._epoch = max(self._epoch, epoch)
        if epoch <= self._voted or not self.awake:
            return False
        self._voted = epoch
        if candidate is not self:
            wait = 2 * FAILOVER_TIMEOUT + self._random.uniform(0, 1)
            self._not_before = self._timeline.now + wait
        return True

    def hear(self, epoch: int) -> None:
        """Take note of the highest epoch another has counted up to: the next is above it."""
        self._epoch = max(self._epoch, epoch)

    def learn(self, master: Redis, config_epoch: int) -> None:
        """Take over a newer view of who is master."""
        if config_epoch > self.config_epoch:
            self.config_epoch = config_epoch
            self._epoch = max(self._epoch, config_epoch)
            self._failing_over = None
            if master is not self.master:
                self.master = master
                self._answered[master] = self._timeline.now
                self._replica_since = inf
            self._strange.clear()
            self._tell(self)

    def is_down(self, master: Redis) -> bool:
        """Say to another Sentinel whether `master` is down."""
        return self.awake and self.master is master and self._is_down(master)

    def _is_down(self, server: Redis) -> bool:
        now = self._timeline.now
        lost = server is self.master and now - self._replica_since > LOST_AFTER
        return lost or now - self._answered[server] > DOWN_AFTER

    def _reaches(self, server: Redis) -> bool:
        return server.awake and self._network.is_open(self.host, server.host)

    def _sees(self, peer: Sentinel) -> bool:
        return peer.awake and self._network.is_open(self.host, peer.host)

    def _tick(self) -> None:
        self._timeline.after(_TICK * self._random.uniform(0.9, 1.1), self._tick)
        if not self.awake:
            return
        now = self._timeline.now
        self._ping(now)
        if now >= self._hello_at:
            self._hello_at = now + _HELLO
            self._say_hello()
        if self._failing_over is not None:
            self._lead()
        elif self._is_down(self.master) and now >= self._not_before:
            agreed = 1 + sum(p.is_down(self.master) for p in self.peers if self._sees(p))
            if agreed >= QUORUM:
                self._not_before = now + self._random.uniform(0.5, 1.0)
                self._timeline.after(self._random.uniform(0, 0.4), self._elect)
        self._correct()

    def _ping(self, now: float) -> None:
        for server in self._servers:
            if self._reaches(server):
                self._answered[server] = now
        if self.master.upstream is None:
            self._replica_since = inf
        elif self._reaches(self.master):
            self._replica_since = min(self._replica_since, now)

    def _elect(self) -> None:
        if self.awake and self._is_down(self.master):
            self.fail_over()

    def _choose(self) -> Redis | None:
        eligible = [
            server
            for server in self._servers
            if server is not self.master
            and server.upstream is not None
            and self._reaches(server)
            and not self._is_down(server)
        ]
        # What it knows of the offsets is old, by up to ten seconds before a planned failover.
        if eligible and self._random.random() < self.misjudges:
            return self._random.choice(eligible)
        return max(eligible, key=lambda server: server.offset, default=None)

    def _promote(self, chosen: Redis) -> None:
        if self._failing_over is chosen and self.awake and self._reaches(chosen):
            chosen.promote()
            self._timeline.after(self._random.uniform(0.05, 0.8), lambda: self._notice(chosen))

    def _notice(self, chosen: Redis) -> None:
        if self._failing_over is not chosen or not self.awake or not self._reaches(chosen):
            return
        self._promoted = True
        self.failovers += 1
        old = self.master
        self.learn(chosen, self._failover_epoch)
        for server in self._servers:
            if server not in (chosen, old) and self._reaches(server):
                server.follow(chosen)
        self._say_hello()

    def _lead(self) -> None:
        # One that was held up, or whose replica was lost, is abandoned.
        if self._timeline.now - self._began > FAILOVER_TIMEOUT:
            self._failing_over = None
            self._tell(self)

    def _say_hello(self) -> None:
        # Sentinels hear of each other through the servers they share.
        for peer in self.peers:
            if peer.awake and any(self._reaches(r) and peer._reaches(r) for r in self._servers):
                peer.hear(self._epoch)
                peer.learn(self.master, self.config_epoch)

    def _correct(self) -> None:
        now = self._timeline.now
        if self._failing_over is not None or self._is_down(self.master):
            return
        if self.master.upstream is not None:
            return
        for server in self._servers:
            wrong = server is not self.master and server.upstream is not self.master
            if not wrong or not self._reaches(server):
                self._strange.pop(server, None)
                continue
            upstream, since = self._strange.get(server, (server, now))
            if upstream is not server.upstream:
                self._strange[server] = server.upstream, now
            elif now - since > DEMOTE_AFTER:
                del self._strange[server]
                server.follow(self.master)
