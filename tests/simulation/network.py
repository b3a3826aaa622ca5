"""The network between three boxes, each of which carries a node, a Redis and a Sentinel."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from random import Random

from tests.simulation.timeline import Action, Timeline

RETRANSMIT = 0.2
"""Seconds after which TCP sends again what was lost on the way."""


@dataclass(frozen=True, slots=True, eq=False)
class Host:
    """Something with an address: `n1`, `r1` and `s1` are what box 1 carries."""

    name: str
    box: int


@dataclass
class Network:
    """Ways that can be cut, and messages that are late, lost, or delivered when nobody expects them any more."""

    timeline: Timeline
    random: Random
    losing: float = 0.02
    slow: float = 0.1
    _cut: dict[tuple[Host, Host], float] = field(default_factory=dict)
    _apart: list[float] = field(default_factory=lambda: [-inf] * 3)
    _busy: dict[tuple[object, Host, Host], float] = field(default_factory=dict)

    def is_open(self, one: Host, other: Host) -> bool:
        """Return whether a message from `one` reaches `other` now."""
        now = self.timeline.now
        if one.box != other.box and max(self._apart[one.box], self._apart[other.box]) > now:
            return False
        return self._cut.get((one, other), -inf) <= now

    def cut(self, one: Host, other: Host, seconds: float) -> None:
        """Let nothing through between these two for so long."""
        self._cut[one, other] = self._cut[other, one] = self.timeline.now + seconds

    def cut_off(self, box: int, seconds: float) -> None:
        """Let nothing into or out of a box for so long."""
        self._apart[box] = self.timeline.now + seconds

    def heal(self) -> None:
        """Mend everything, for good."""
        self._cut.clear()
        self._apart = [-inf] * 3
        self.losing = self.slow = 0.0

    def send(self, source: Host, target: Host, deliver: Action) -> None:
        """Let a message be on its way; one that is lost may still come, when the way is mended."""
        delay, draw = self._delay(), self.random
        if self.is_open(source, target) and draw.random() >= self.losing:
            self.timeline.after(delay, lambda: self._arrive(source, target, deliver))
        elif draw.random() < 0.5:
            self.timeline.at(self._mended(source, target) + delay, deliver)

    def stream(self, channel: object, source: Host, target: Host, deliver: Action) -> bool:
        """Send on a connection, where nothing overtakes; return False if the connection hangs."""
        if not self.is_open(source, target):
            return False
        key = channel, source, target
        delay = self._delay() + (RETRANSMIT if self.random.random() < self.losing else 0.0)
        self._busy[key] = at = max(self._busy.get(key, 0.0), self.timeline.now + delay)
        self.timeline.at(at, deliver)
        return True

    def _arrive(self, source: Host, target: Host, deliver: Action) -> None:
        if self.is_open(source, target):
            deliver()

    def _mended(self, one: Host, other: Host) -> float:
        apart = max(self._apart[one.box], self._apart[other.box]) if one.box != other.box else 0.0
        return max(self.timeline.now + RETRANSMIT, apart, self._cut.get((one, other), 0.0))

    def _delay(self) -> float:
        draw = self.random
        return 0.0003 + draw.expovariate(5.0 if draw.random() < self.slow else 1000.0)
