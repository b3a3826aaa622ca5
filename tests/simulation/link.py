"""A process's way to Redis, as `hachat.store.sentinels` and `hachat.store.link` go it.

The choice among the Sentinels' answers is the real one, `hachat.store.masters.choose`.  Simpler than the real thing:

* A connection is made by the first message on it: one way for TCP, HELLO, ROLE and the question itself.  The check that
  the server is a master, and that it is the same run of it, is made as that message arrives.
* The pump is one question at a time on a connection of its own, and so is the lease's line.
* The id of a server's run is known to whoever is connected to it; nobody reads INFO.
* An event that comes while the Sentinels are being asked is lost; the real link asks again.
* Sentinels are asked every three seconds and at their events, and an answer is good for a quarter of a second, as it
  really is; that connections to Sentinels are opened and lost is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

from hachat.core.errors import StoreUnavailable
from hachat.store.masters import Answer, Behind, FailingOver, Failovers, Master, choose
from tests.simulation.network import Host, Network
from tests.simulation.redis import Operation, Redis
from tests.simulation.replication import Reply
from tests.simulation.sentinel import Sentinel
from tests.simulation.timeline import Action, Timeline

_PATIENCE = 0.15
_FRESH = 0.25
_POLL = 3.0

_VOUCHED = _POLL + 1.0

_BELIEVE = 10.0


class Place(Protocol):
    """The machine on which the process runs."""

    host: Host

    def when_awake(self, action: Action) -> None:
        """Do `action` when the process runs."""
        ...


class Link:
    """Which server is the master, as far as this process knows, and questions to it."""

    def __init__(
        self,
        place: Place,
        timeline: Timeline,
        network: Network,
        *,
        servers: dict[str, Redis],
        sentinels: list[Sentinel],
    ) -> None:
        self.master: Redis | None = None
        self.config_epoch = 0
        self.closed = False
        self.on_switch: Action = lambda: None
        self._place, self._timeline, self._network = place, timeline, network
        self._servers, self._sentinels = servers, sentinels
        self._trouble: StoreUnavailable | None = None
        self._behind_since = inf
        self._fresh_until = -inf
        self._vouched_until = -inf
        self._look_number = 0
        self._looking = False
        self._waiting: list[Action] = []
        self._answers: list[Answer] = []
        self._failovers = Failovers()
        self._pending: dict[int, Reply] = {}
        self._questions = 0
        self._runs: dict[str, tuple[Redis, int]] = {}
        self._poll()

    @property
    def vouched(self) -> bool:
        """Whether a Sentinel named the master lately."""
        return self._timeline.now < self._vouched_until

    def close(self) -> None:
        """End with the process."""
        self.closed = True

    def hint(self) -> None:
        """Take a Sentinel's event as a reason to look."""
        self._look()

    def drop(self, line: str) -> None:
        """Close a connection, as after a question that was not answered in time."""
        self._runs.pop(line, None)

    def ask(self, line: str, question: Callable[[Redis, Reply], None], reply: Reply) -> None:
        """Ask the master on the connection called `line`."""
        connected = self._runs.get(line)
        if connected is not None:
            self._send(line, *connected, question, reply)
        else:
            self._when_looked(lambda: self._connect(line, question, reply))

    def script(self, operation: Operation, replicas: int, reply: Reply) -> None:
        """Run a script of the lease on its own connection."""
        self.ask(
            "lease",
            lambda server, answer: server.ask(self.config_epoch, operation, replicas, answer),
            reply,
        )

    def _connect(self, line: str, question: Callable[[Redis, Reply], None], reply: Reply) -> None:
        server = self.master
        if server is None or self._trouble is not None:
            reply(self._trouble or StoreUnavailable("no Sentinel was asked yet"))
            return
        self._send(line, server, 0, question, reply)

    def _send(
        self,
        line: str,
        server: Redis,
        run: int,
        question: Callable[[Redis, Reply], None],
        reply: Reply,
    ) -> None:
        self._questions = number = self._questions + 1
        self._pending[number] = reply

        def back(answer: object) -> None:
            self._network.send(
                server.host,
                self._place.host,
                lambda: self._place.when_awake(lambda: self._settle(line, number, answer)),
            )

        def arrive() -> None:
            if not server.alive:
                back(StoreUnavailable("connection refused"))
            elif run not in (0, server.run):
                back(StoreUnavailable("connection reset"))
            else:
                server.when_awake(enter)

        def enter() -> None:
            if run == 0 and server.upstream is not None:
                self._fresh_until = -inf
                back(StoreUnavailable("the Sentinels name it as master, but it is a replica"))
                return
            if run == 0 and number in self._pending:
                self._runs[line] = server, server.run
            question(server, back)

        self._network.send(self._place.host, server.host, arrive)

    def _settle(self, line: str, number: int, answer: object) -> None:
        reply = self._pending.pop(number, None)
        if isinstance(answer, StoreUnavailable):
            self._runs.pop(line, None)
        if reply is not None and not self.closed:
            reply(answer)

    def _poll(self) -> None:
        if not self.closed:
            self._timeline.after(_POLL, lambda: self._place.when_awake(self._poll))
            self._look()

    def _when_looked(self, action: Action) -> None:
        if self._timeline.now < self._fresh_until:
            action()
        else:
            self._waiting.append(action)
            self._look()

    def _look(self) -> None:
        if self._looking or self.closed:
            return
        self._looking = True
        answers: list[Answer] = []
        self._answers = answers
        self._look_number = number = self._look_number + 1
        for sentinel in self._sentinels:
            self._question(sentinel, answers, number)
        self._timeline.after(_PATIENCE, lambda: self._place.when_awake(lambda: self._end(number)))

    def _question(self, sentinel: Sentinel, answers: list[Answer], number: int) -> None:
        here, there = self._place.host, sentinel.host

        def collect(answer: Answer) -> None:
            answers.append(answer)
            if len(answers) == len(self._sentinels):
                self._end(number)

        def arrive() -> None:
            if sentinel.awake:
                answer = sentinel.answer()
                self._network.send(
                    there, here, lambda: self._place.when_awake(lambda: collect(answer))
                )

        self._network.send(here, there, arrive)

    def _end(self, number: int) -> None:
        if number != self._look_number or not self._looking:
            return
        self._looking = False
        self._fresh_until = self._timeline.now + _FRESH
        try:
            found, self._trouble = self._believe(), None
            self._vouched_until = self._timeline.now + _VOUCHED
            self._follow(self._servers[found.host], found.config_epoch)
        except StoreUnavailable as trouble:
            self._trouble = trouble
            self._vouched_until = -inf
            if isinstance(trouble, FailingOver):
                self._follow(None, self.config_epoch)
        waiting, self._waiting = self._waiting, []
        for action in waiting:
            action()

    def _believe(self) -> Master:
        now = self._timeline.now
        answers = self._failovers.complete(self._answers, now)
        try:
            found = choose("bot", answers, self.config_epoch)
        except Behind:
            self._behind_since = min(self._behind_since, now)
            if now - self._behind_since < _BELIEVE:
                raise
            found = choose("bot", answers)
        self._behind_since = inf
        return found

    def _follow(self, master: Redis | None, config_epoch: int) -> None:
        if (master, config_epoch) == (self.master, self.config_epoch):
            return
        before, self.master, self.config_epoch = self.master, master, config_epoch
        if before is not None:
            self._runs.clear()
            pending, self._pending = self._pending, {}
            self.on_switch()
            for reply in pending.values():
                reply(StoreUnavailable("the master changed"))
