"""What is looked at from outside: who acts, in whose name, and what became of what was acknowledged.

`I1` and so on are the invariants of the election's specification.  Looked at here, in virtual time:

* I1: no two act at once.  A send lasts until it ends, though its process be frozen meanwhile; a process that is frozen
  starts nothing, and one whose machine was suspended has a quarter of a second to let its duty fall, but starts no send.
* I2, I3: tokens rise from term to term, and at the sink.
* I7: when all is mended and the Sentinels agree, there is soon a master, who stays (`world.py`).
* I8: a lease that is given to an heir is nobody else's while it is kept, nor the leaver's while it is barred.
* The fence: a write is accepted only from whoever holds the lease on that server, and a key never returns to a term
  that was over there.
* What was acknowledged by a replica is still there after any single fault that wipes nothing.

The drills on real processes (`tests/whole`) look at the rest: what is queued and sent (I4, I5, I6, I13, I14), what
is said over HTTP and in the history (I11, I12, I15, I16).  Pauses between the check and the system call (at most one
send each) cannot be seen in virtual time, and are allowed by I1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hachat.core.lease import HAND_OVER, Answer, Ask, Granted, Token
from tests.cluster.fake_lease import FakeServer
from tests.simulation.process import TIMING, Process
from tests.simulation.timeline import Timeline

NOTICED = 0.25
"""Seconds after a suspension within which a term that has ended has fallen, but for a send that had begun."""


@dataclass
class Report:
    """What came of a run."""

    seed: int
    violation: str = ""
    terms: list[Token] = field(default_factory=list)
    overlaps: int = 0
    sent: int = 0
    acknowledged: int = 0
    failovers: int = 0
    wipes: int = 0
    seconds: float = 0.0
    log: list[tuple[float, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Release:
    token: Token
    heir: str
    at: float
    barred: float
    shift: float


class Oracle:
    """Watches a run, and ends it when something happens that must not."""

    def __init__(self, timeline: Timeline, report: Report) -> None:
        self.report = report
        self.strict = True
        self.failed = False
        self.acknowledged = 0
        self._timeline = timeline
        self._acting: dict[Process, Token] = {}
        self._sending: tuple[Token | None, Process | None, float] = (None, None, 0.0)
        self._highest: dict[str, tuple[Token, bool]] = {}
        self._released: dict[str, _Release] = {}
        self._ignorant: set[Token] = set()

    def note(self, what: str) -> None:
        """Write the story of this run."""
        self.report.log.append((round(self._timeline.now, 4), what))

    def fail(self, what: str) -> None:
        """Note what must never happen."""
        self.note(f"VIOLATION: {what}")
        self.report.violation = self.report.violation or f"{self._timeline.now:.3f} s: {what}"
        self.failed = True

    def _overlap(self, what: str) -> None:
        self.report.overlaps += 1
        if self.strict:
            self.fail(what)
        else:
            self.note(f"overlap: {what}")

    # Who acts.

    @contextmanager
    def acting(self, token: Token, process: Process) -> Iterator[None]:
        """Note that `process` is on duty in the name of `token`."""
        self._compare(token)
        for other, held in self._acting.items():
            if not self._is_excused(other):
                self._overlap(f"{token} begins while {held} still acts")
        self._compare_sends(token, process)
        self._acting[process] = token
        self.report.terms.append(token)
        self.note(f"{token} begins")
        try:
            yield
        finally:
            if self._acting.pop(process, None) is not None:
                self.note(f"{token} ends")

    def gone(self, process: Process) -> None:
        """Note that a process does nothing any more, in whosever name."""
        if (token := self._acting.pop(process, None)) is not None:
            self.note(f"{token} ends with its process")
        if self._sending[1] is process:
            self._sending = (None, None, 0.0)

    def look(self, process: Process) -> None:
        """See that a process whose machine was suspended does nothing more, if its term was over meanwhile."""
        token, latest = self._acting.get(process), self.report.terms[-1:]
        if token is not None and [token] != latest and not self._is_excused(process):
            self._overlap(f"{token} still acts after {latest[0]} has begun, though it is awake")

    def send(self, token: Token, process: Process, seconds: float) -> None:
        """Note that something is sent to the outside, for so long."""
        self.report.sent += 1
        if process.dead:
            self.fail(f"{token} sends, but its process is dead")
        latest = self.report.terms[-1]
        if token != latest:
            self._overlap(f"{token} sends after {latest} has begun")
        self._compare_sends(token, process)
        self._sending = token, process, self._timeline.now + seconds

    def _compare_sends(self, token: Token, process: Process) -> None:
        held, other, until = self._sending
        if other is not None and other is not process and self._timeline.now < until:
            self._overlap(f"{token} acts while {held} still sends")

    def _compare(self, token: Token) -> None:
        if self.report.terms and token <= self.report.terms[-1] and token not in self._ignorant:
            what = f"{token} comes after {self.report.terms[-1]}"
            if self.strict:
                self.fail(what)
            else:
                self.note(what)

    def _is_excused(self, process: Process) -> bool:
        node, now = process.node, self._timeline.now
        awake = now - node.suspended_until
        return node.frozen or 0 < awake < (TIMING.send_timeout if process.sending else 0) + NOTICED

    # What the lease's server does.

    def watch_acquire(self, server: FakeServer, ask: Ask) -> Answer:
        """Let a server answer, and see that what was given to an heir is kept for it."""
        forgot = server.state.holder is None
        answer = server.acquire(ask)
        if isinstance(answer, Granted):
            token = answer.token
            self.note(f"{token} granted by {server.run_id}")
            self._compare_release(self._released.pop(server.run_id, None), token, server)
            if forgot and self.report.terms:
                # A Redis that has forgotten all, with its clock set back, and a node that has never heard better.
                latest = self.report.terms[-1].epoch
                if max(ask.floor, server.clock() * 1000) < latest:
                    self._ignorant.add(token)
        self._inspect(server)
        return answer

    def watch_renew(self, server: FakeServer, token: Token, ttl: float) -> bool:
        """Let a server answer, and see that no term returns."""
        answer = server.renew(token, ttl)
        self._inspect(server)
        return answer

    def watch_release(
        self, server: FakeServer, token: Token, heir: str, barred: float, reason: str
    ) -> bool:
        """Let a server answer, and remember whom the lease is for."""
        held = server.state.held
        answer = server.release(token, heir, barred, reason)
        if answer and held:
            now = self._timeline.now
            self.note(f"{token} released on {server.run_id} to {heir or 'anyone'}: {reason}")
            shift = server.clock() - now
            self._released[server.run_id] = _Release(token, heir, now, barred, shift)
        self._inspect(server)
        return answer

    def forget(self, run_id: str) -> None:
        """Take note that a replica becomes master: with what it was sent, be that older than what it had once."""
        self._highest.pop(run_id, None)
        self._released.pop(run_id, None)

    def _compare_release(self, left: _Release | None, token: Token, server: FakeServer) -> None:
        now = self._timeline.now
        if left is None or abs(server.clock() - now - left.shift) > 1e-3:
            return
        if left.heir and token.node != left.heir and now < left.at + HAND_OVER - 0.001:
            self.fail(f"{token} took what was given to {left.heir}")
        leaver = (left.token.node, left.token.boot) == (token.node, token.boot)
        if leaver and token.node != left.heir and now < left.at + left.barred - 0.001:
            self.fail(f"{token} took back what it gave away")

    def _inspect(self, server: FakeServer) -> None:
        state, lease = server.state, server.state.lease
        highest, given_back = self._highest.get(server.run_id, (lease, False))
        if lease is not None and highest is not None:
            if (lease, not given_back) < (highest, True):
                self.fail(f"{lease} came back after {highest}")
            self._highest[server.run_id] = lease, False
        elif highest is not None and state.holder == highest:
            self._highest[server.run_id] = highest, not state.held

    def see_write(self, token: Token, server: FakeServer) -> None:
        """See that only the holder's writes are taken."""
        if not server.holds(token):
            self.fail(f"a write of {token} was accepted")

    def acknowledge(self, datum: int) -> None:
        """Remember that a write was acknowledged, by a replica as well."""
        self.report.acknowledged += 1
        self.acknowledged |= 1 << datum
