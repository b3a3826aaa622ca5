"""A drill's history: what happened when, from all who saw something of it, as values and as lines of JSON.

All moments are seconds of the clock by which leases are kept (`hachat.cluster.elector.read_clock`); one machine has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from hachat.core.lease import Token
from hachat.store.history import History

T = TypeVar("T")


class Event(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Something that happened at `at`."""

    at: float


class Began(Event, frozen=True, kw_only=True):
    """A node says that its term begins."""

    node: str
    token: str


class Ended(Event, frozen=True, kw_only=True):
    """A node says that everything done in its term has ended; it surely held the lease until `until`, if it was not taken from it."""

    node: str
    epoch: int
    until: float | None


class Died(Event, frozen=True, kw_only=True):
    """A node's process was killed, or has ended."""

    node: str


class Froze(Event, frozen=True, kw_only=True):
    """A node's process stands still, until `until`."""

    node: str
    until: float


class Sampled(Event, frozen=True, kw_only=True):
    """A node was asked at `asked` whether it is master, and has answered: 200, 503, or 0 for no answer."""

    node: str
    asked: float
    code: int


class Looked(Event, frozen=True, kw_only=True):
    """A node says which epoch it sees."""

    node: str
    epoch: int


class Asked(Event, frozen=True, kw_only=True):
    """A person has asked for the reply `number` in a room."""

    number: int
    room: str


class Sent(Event, frozen=True, kw_only=True):
    """The chat server has got something from a node, on a connection that came to its first channel at `joined`."""

    node: str
    joined: float
    room: str
    text: str


class SteppedDown(Event, frozen=True, kw_only=True):
    """`hachat step-down --to` was confirmed; `old` is the token of the term that ended."""

    to: str
    old: str


class Barred(Event, frozen=True, kw_only=True):
    """None of `nodes` may become master until `until`, as the invariant of this name says."""

    until: float
    nodes: Sequence[str]
    invariant: str


class Orphan(Event, frozen=True, kw_only=True):
    """Something that a node or a master that is no more still holds, long after its end."""

    what: str


class Fault(Event, frozen=True, kw_only=True):
    """What was done to the servers, in words."""

    what: str


class Told(Event, frozen=True, kw_only=True):
    """What `hachat history` tells in the end; the lease's clock is `ahead` of Redis's by so many seconds."""

    history: History
    ahead: float


Any: TypeAlias = (
    Began
    | Ended
    | Died
    | Froze
    | Sampled
    | Looked
    | Asked
    | Sent
    | SteppedDown
    | Barred
    | Orphan
    | Fault
    | Told
)


class Term(msgspec.Struct, frozen=True):
    """A term as its node knew it: it may have acted from `began` to `until`; `ended` is when it said so."""

    node: str
    token: str
    began: float
    until: float
    ended: float

    @property
    def fence(self) -> Token:
        """The token, to compare."""
        return Token.parse(self.token)


def of_kind(events: Iterable[Any], kind: type[T]) -> list[T]:
    """Return the events of a kind, as they came."""
    return [event for event in events if isinstance(event, kind)]


def read_terms(events: Sequence[Any]) -> list[Term]:
    """Return the terms, in the order in which they began."""
    return sorted(_match_terms(events), key=lambda term: term.began)


def _match_terms(events: Sequence[Any]) -> Iterator[Term]:
    ends = {(end.node, end.epoch): end for end in of_kind(events, Ended)}
    deaths = of_kind(events, Died)
    for begin in of_kind(events, Began):
        end = ends.get((begin.node, Token.parse(begin.token).epoch))
        later = [died.at for died in deaths if died.node == begin.node and died.at > begin.at]
        ended = end.at if end else min(later, default=float("inf"))
        until = min(ended, end.until) if end and end.until is not None else ended
        yield Term(begin.node, begin.token, begin.at, until, ended)


def save(events: Sequence[Any], file: Path) -> None:
    """Write a line of JSON for each event, in the order of time."""
    ordered = sorted(events, key=lambda event: event.at)
    file.write_bytes(b"\n".join(map(msgspec.json.encode, ordered)) + b"\n")


def restore(file: Path) -> list[Any]:
    """Read what `save` has written."""
    return [msgspec.json.decode(line, type=Any) for line in file.read_bytes().splitlines()]
