"""The lease as arithmetic: who may lead, until when, and what to ask Redis next.

No clock, no socket and no task lives here.  Callers bring `now` in seconds of a clock that also counts while the
machine is suspended, and carry the questions.  Why at most one node leads:

* The master's term ends, on its own clock, no later than `ttl * (1 - drift) - margin` after the last confirmed
  question was *sent*.  Nothing else prolongs it.
* A candidate takes a lease that was not given back only after the stream of events stood still for the longer of
  both ttls, on its own clock.  Its silence began after the master's last question was sent, so it ends later.
* A Redis that may have forgotten something (another server, or the same one restarted) is left alone for the
  lock delay, which is longer than any ttl, unless its record says that the lease was taken on this very server.
  The delay counts from its first answer with as many replicas as a confirmation takes, half of the servers.  One of
  those, or it, is among any others that could confirm, so from then on no other server confirms anything.
* An answer in doubt is no answer: whoever is not sure stands by.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias

from hachat.core.timing import Timing

RETRY = 0.05
"""Seconds after which the master repeats a renewal that was not answered."""

ALONE = 1.0
"""Seconds after which a server with too few replicas is asked again."""

HAND_OVER = 3.0
"""Seconds for which a lease given back in favour of one node is kept for it."""

EventKind: TypeAlias = Literal[
    "connected",
    "acquired",
    "renewed",
    "released",
    "step-down",
    "prepare",
    "ready",
    "refused",
    "control",
]
_SIGNS_OF_LIFE: frozenset[EventKind] = frozenset({"connected", "acquired", "renewed", "released"})

Cause: TypeAlias = Literal[
    "step-down",
    "unreachable",
    "shutdown",
    "stopped",
    "isolated",
    "paused",
    "taken",
    "fenced",
    "failed",
    "ended",
    "crash",
    "",
]
"""Why a master gave the lease back; empty when it did not say.

It was asked to step down; it could not reach a chat service, and its successor could; its node left in order, or was stopped at once; Redis confirmed no renewal in time; the process
stood still for so long that it asked for none; Redis said that the lease is another's, or refused a write for that; its
duty failed, or ended; its process died, and `hachat release` gave the lease back for it.
"""

RefusalKind: TypeAlias = Literal[
    "HELD", "PAUSED", "DRAINED", "HOLD", "WAIT", "STALE_VIEW", "HANDOFF", "VETO", "ALONE"
]
"""Why the lease is not given: what `lease_acquire.lua` says, or ALONE, that the server has too few replicas."""


@dataclass(frozen=True, slots=True, order=True)
class Token:
    """The name of a term, and its fence: later terms compare greater."""

    config_epoch: int
    epoch: int
    node: str
    boot: str

    @classmethod
    def parse(cls, text: str) -> Token:
        """Return the token written as `<node>/<boot>/<config epoch>.<epoch>`.

        Raises:
            ValueError: it is not written so.
        """
        node, boot, number = text.rsplit("/", 2)
        config_epoch, epoch = number.split(".")
        return cls(int(config_epoch), int(epoch), node, boot)

    def __str__(self) -> str:
        return f"{self.node}/{self.boot}/{self.config_epoch}.{self.epoch}"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a node last saw of Redis: the id of the newest event, and which server showed it."""

    event: str
    identity: str


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the stream of events, or, as `connected`, the news that a server is being listened to.

    `control` is the news that operators have ordered something, or taken it back.
    `to` is the successor of a release or step-down, or who is to `prepare` for being one; `by` is who asked for a
    step-down, `hold` the seconds for which the leaver may not become master again, `force` whether it leaves without a
    successor too.  `request` names a step-down, or a preparation, and what is `ready` or `refused`; `code` is what
    kind of refusal it is, for programs.
    """

    kind: EventKind
    sight: Sight
    token: Token | None = None
    to: str = ""
    reason: str = ""
    request: str = ""
    by: str = ""
    hold: float = 0.0
    force: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A candidate's question: this is what I saw, and for how long; may I have the lease?"""

    node: str
    boot: str
    timing: Timing
    floor: int
    sight: Sight
    silence: float
    age: float


@dataclass(frozen=True, slots=True)
class Granted:
    """The lease is the asker's, under this token."""

    token: Token


@dataclass(frozen=True, slots=True)
class Refused:
    """Not now; asking again makes sense after `wait` seconds, unless an event comes first."""

    kind: RefusalKind
    wait: float


@dataclass(frozen=True, slots=True)
class Changed:
    """Redis is not what the asker saw; this is what it is."""

    sight: Sight


Answer: TypeAlias = Granted | Refused | Changed


class Lease:
    """The master's view of the lease it holds."""

    def __init__(self, token: Token, timing: Timing, sent: float, jitter: float) -> None:
        self.token = token
        self.until = -inf
        self.due = sent
        self._unanswered = False
        self._timing = timing
        self._prolong(sent, jitter)

    def remaining(self, now: float) -> float:
        """Return for how many seconds the lease is surely ours."""
        return max(0.0, self.until - now)

    def confirm(self, sent: float, now: float, jitter: float) -> None:
        """Note that the renewal sent at `sent` was confirmed; `jitter` is from 0 to 1.

        A term that has ended on our clock stays ended, whatever Redis says afterwards.
        """
        if now < self.until:
            self._unanswered = False
            self._prolong(sent, jitter)

    def doubt(self, now: float) -> None:
        """Note that a renewal was not answered: ask again soon, for the same deadline."""
        self.due = now + RETRY
        self._unanswered |= now < self.until

    @property
    def why_lost(self) -> Cause:
        """Why it is over, once it is; a process that runs has asked several times before that."""
        if self.until == -inf:
            return "taken"
        return "isolated" if self._unanswered else "paused"

    def lose(self, now: float) -> None:
        """Note that Redis says the lease is not ours; a term that has ended on our clock before keeps its end."""
        if now < self.until:
            self.until = -inf

    def _prolong(self, sent: float, jitter: float) -> None:
        # From the question, not from the answer: Redis counts from some moment between the two.
        self.until = sent + self._timing.span
        self.due = sent + self._timing.renew * (0.9 + jitter / 5)


class Watch:
    """A node's observation of the lease, whoever holds it, and when to ask for it.

    `floor` is the highest epoch this node knows of; an epoch it takes is above it.
    """

    def __init__(self, node: str, boot: str, timing: Timing, floor: int = 0) -> None:
        self.floor = floor
        self.due = inf
        self._node = node
        self._boot = boot
        self._timing = timing
        self._sight = Sight("", "")
        self._silent_since = inf
        self._same_since = inf
        self._asked = ""
        self._patience = timing.op_timeout

    def hear(self, event: Event, now: float) -> None:
        """Take note of an event: whatever has just ended may be asked for at once."""
        silent_since = self._silent_since
        same_server = event.sight.identity == self._sight.identity
        self._see(event.sight, now)
        if event.kind not in _SIGNS_OF_LIFE and same_server:
            # Whoever asks, orders or gets ready does not show that the master lives: the wait for it goes on.
            self._silent_since = silent_since
        if event.token is not None:
            self.floor = max(self.floor, event.token.epoch)
        ended = event.kind in ("connected", "released", "control")
        self.due = now if ended else self._silent_since + self._timing.ttl

    def ask(self, now: float) -> Ask:
        """Return the question to send now."""
        self._asked = self._sight.identity
        silence, age = now - self._silent_since, max(0.0, now - self._same_since)
        return Ask(self._node, self._boot, self._timing, self.floor, self._sight, silence, age)

    def hold(self, token: Token) -> None:
        """Take note that a term of our own begins."""
        self.floor = max(self.floor, token.epoch)
        self._patience = self._timing.op_timeout

    def refuse(self, answer: Refused | Changed, now: float) -> None:
        """Take note of an answer that is not the lease."""
        self._patience = self._timing.op_timeout
        if isinstance(answer, Changed):
            self._see(answer.sight, now)
            self._asked = self._sight.identity
            self.due = now
        else:
            self.due = now + max(RETRY, answer.wait)
        alone = isinstance(answer, Refused) and answer.kind == "ALONE"
        if self._asked == self._sight.identity and not alone:
            # Not before: while a promoted server has no replicas, they may still confirm what its predecessor grants.
            self._same_since = min(self._same_since, now)

    def doubt(self, now: float) -> None:
        """Take note that a question was not answered.

        The waits double until they are longer than a ttl, so that a node which takes the lease again and again
        but never hears of it in time leaves it to the others.
        """
        self.due = now + self._patience
        self._patience = min(2 * self._patience, 4 * self._timing.ttl)

    def _see(self, sight: Sight, now: float) -> None:
        if sight != self._sight:
            self._silent_since = now
        if sight.identity != self._sight.identity:
            self._same_since = inf
            if self._sight.identity:
                # A server that was there before may have seen terms that this one knows nothing of.
                self.floor = max(self.floor, 1)
        self._sight = sight
