"""What must hold of every drill's history, whatever was done; the names are those of the invariants in the design.

I1   no two terms act at once, and nothing is sent after its term's end      nodes' logs, chat server    `_check_terms`, `_check_sends`
I2   tokens rise, and none is used twice                                      nodes' logs                 `_check_terms`
I3   tokens do not go back where the replies arrive                           chat server                 `_check_sends`
I4   nothing that was asked for is lost                                       chat server                 `_check_replies`
I5   nothing is answered twice, unless it is told to be in doubt              chat server, nodes' logs    `_check_replies`
I6   the replies of a room come in order                                      chat server                 `_check_replies`
I7   sending goes on within the drill's bound                                 chat server                 `_check_silence`
I8   after a step-down in favour of a node the next term is that node's       who asked, nodes' logs      `_check_step_downs`
I9   in a pause nobody takes over but who may                                 nodes' logs                 `_check_bars`
I10  who is drained, or of priority 0, is never master                        nodes' logs                 `_check_bars`
I11  no two nodes say at the same moment that they are master                 `GET /master` of each       `sampled.find_pairs`
I12  no node sees the epoch fall                                              status of each, by HTTP     `_check_epochs`
I13  what was said once is queued once                                        nodes' logs                 `_check_events`
I14  nothing is held for long by who is no more                               Redis, afterwards           `orphans.find_orphans`
I15  the history's terms and gaps make up its whole time, and it has each     `hachat history`            `_check_history`
I16  every term's end has a cause                                             `hachat history`            `_check_history`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from hachat.store.history import Returned, Unseen
from hachat.store.history import Term as Told
from tests.whole.drills import events
from tests.whole.drills.events import (
    Any,
    Asked,
    Barred,
    Fault,
    Looked,
    Orphan,
    Sent,
    SteppedDown,
    Term,
    of_kind,
    read_terms,
)
from tests.whole.drills.sampled import find_pairs
from tests.whole.judge import Ask, Promise, judge
from tests.whole.judge import Told as Logged
from tests.whole.network import Spoken

T = TypeVar("T", bound=events.Event)

PROMISE = Promise(patience=0.5, retries=True)

TRANSIT = 0.15
"""Seconds a reply may be under way to a chat server that is busy."""

_CLOSE = 1e-3
_SHARE = 0.01


@dataclass(frozen=True)
class Bounds:
    """What is allowed in a drill.

    `silence` is the longest time without a reply, seconds; `terms` how many terms must begin, if that is
    certain.  `late` replies may be sent after their term's end, by a process that stood still between its look at the
    clock and its send.  `forgives` are invariants that cannot hold in it: the drill says why.
    """

    silence: float
    terms: int | None = None
    late: int = 0
    forgives: Collection[str] = ()


@dataclass(frozen=True)
class Case:
    """A drill's history, from `since` on, with what came before for the terms; `logged` is what the nodes' logs tell of replies."""

    events: Sequence[Any]
    logged: Logged = field(default_factory=Logged)
    since: float = 0.0

    @property
    def end(self) -> float:
        """When somebody saw something for the last time."""
        moments: list[float] = [event.at for event in self.events]
        return max(moments)

    def recent(self, kind: type[T]) -> list[T]:
        """Return the events of a kind that are the drill's own."""
        return [event for event in of_kind(self.events, kind) if event.at >= self.since]


def check(case: Case, bounds: Bounds) -> list[str]:
    """Return a line for each fault; it begins with the invariant that does not hold."""
    terms = read_terms(case.events)
    found = [
        *_check_terms(terms),
        *_check_count(case, terms, bounds),
        *_check_sends(case, terms, bounds),
        *_check_replies(case, terms),
        *_check_silence(case, bounds),
        *_check_step_downs(case, terms),
        *_check_bars(case, terms),
        *_check_events(case),
        *(f"I14 {orphan.what}" for orphan in case.recent(Orphan)),
        *(f"I11 {pair}" for pair in find_pairs(case.events)),
        *_check_epochs(case),
        *_check_history(case, terms),
    ]
    return [fault for fault in found if fault.split()[0] not in bounds.forgives]


def _check_terms(terms: Sequence[Term]) -> Iterator[str]:
    for first, second in pairwise(terms):
        if second.began < first.until - _CLOSE:
            yield f"I1 {second.token} began {first.until - second.began:.3f} s before {first.token} ended"
        if second.fence <= first.fence:
            yield f"I2 {second.token} came after {first.token}"
    epochs = [term.token.rpartition("/")[2] for term in terms]
    if len(set(epochs)) < len(epochs):
        yield f"I2 an epoch was used twice: {epochs}"


def _check_count(case: Case, terms: Sequence[Term], bounds: Bounds) -> Iterator[str]:
    first = min((fault.at for fault in case.recent(Fault)), default=case.since)
    new = [term.token for term in terms if term.began >= first]
    if bounds.terms is not None and len(new) != bounds.terms:
        yield f"terms {len(new)} began and not {bounds.terms}: {new}"


def _check_sends(case: Case, terms: Sequence[Term], bounds: Bounds) -> Iterator[str]:
    highest: Term | None = None
    late = 0
    for sent in sorted(case.recent(Sent), key=lambda sent: sent.at):
        term = _find_term(terms, sent)
        if term is None:
            yield f"I1 {sent.text} was sent by {sent.node}, which has had no term"
            continue
        if sent.at > term.until + TRANSIT:
            late += 1
            if late > bounds.late:
                yield f"I1 {sent.text} was sent {sent.at - term.until:.3f} s after {term.token} ended"
        elif highest is not None and term.fence < highest.fence:
            yield f"I3 {sent.text} was sent under {term.token} after {highest.token}"
        if highest is None or term.fence > highest.fence:
            highest = term


def _find_term(terms: Sequence[Term], sent: Sent) -> Term | None:
    """Return the term in which the connection came to its first channel: it does so in a term, and none outlives it."""
    own = [term for term in terms if term.node == sent.node and term.began <= sent.joined]
    return own[-1] if own else None


def _check_replies(case: Case, terms: Sequence[Term]) -> Iterator[str]:
    answered = {sent.text for sent in of_kind(case.events, Sent) if sent.at < case.since}
    asks = [
        Ask(asked.number, asked.room)
        for asked in of_kind(case.events, Asked)
        if f"{asked.number}.1" not in answered
    ]
    numbers = {ask.number for ask in asks}
    record = [
        Spoken(sent.at, sent.room, sent.text)
        for sent in sorted(case.recent(Sent), key=lambda sent: sent.at)
        if not (first := sent.text.partition(".")[0]).isdigit() or int(first) in numbers
    ]
    joins = {(sent.node, sent.joined) for sent in case.recent(Sent)}
    found = judge(asks, record, case.logged, PROMISE, terms=len(terms) + len(joins))
    yield from (f"I4 lost {key}" for key in found.lost)
    yield from (f"I4 strange {text}" for text in found.strange)
    yield from (f"I5 doubled without a doubt {key}" for key in found.doubled)
    yield from (f"I5 too many doubled in {room}" for room in found.excessive)
    yield from (f"I6 {late} came after {first}" for first, late in found.disordered)


def _check_silence(case: Case, bounds: Bounds) -> Iterator[str]:
    gap = longest_silence(case)
    if gap > bounds.silence:
        yield f"I7 nothing was sent for {gap:.3f} s, {bounds.silence} s are allowed"


def longest_silence(case: Case) -> float:
    """Return the longest time without a reply, from the beginning of the drill to its end, seconds."""
    moments = sorted([case.since, *(sent.at for sent in case.recent(Sent)), case.end])
    return max((late - early for early, late in pairwise(moments)), default=0.0)


def _check_step_downs(case: Case, terms: Sequence[Term]) -> Iterator[str]:
    for done in case.recent(SteppedDown):
        old = next((term for term in terms if term.token == done.old), None)
        after = [term for term in terms if old is not None and term.began > old.began]
        if not after or after[0].node != done.to:
            yield f"I8 {done.old} stepped down to {done.to}, and then came {after[:1]}"


def _check_bars(case: Case, terms: Sequence[Term]) -> Iterator[str]:
    for bar in case.recent(Barred):
        for term in terms:
            if term.node in bar.nodes and bar.at < term.began < bar.until:
                yield f"{bar.invariant} {term.token} began, and {term.node} might not become master"


def _check_events(case: Case) -> Iterator[str]:
    times = Counter(case.logged.numbers.values())
    for asked in case.recent(Asked):
        if times[asked.number] > 1:
            yield f"I13 {asked.number} was queued as {times[asked.number]} messages"


def _check_epochs(case: Case) -> Iterator[str]:
    seen: dict[str, int] = {}
    for looked in sorted(case.recent(Looked), key=lambda looked: looked.at):
        if not looked.epoch:
            continue  # a Redis that has forgotten everything knows of none
        if looked.epoch < seen.get(looked.node, 0):
            yield f"I12 {looked.node} saw epoch {looked.epoch} after {seen[looked.node]}"
        seen[looked.node] = looked.epoch


def _check_history(case: Case, terms: Sequence[Term]) -> Iterator[str]:
    for told in case.recent(events.Told)[-1:]:
        earlier = [term.fence.epoch for term in terms if term.began < case.since]
        first = earlier[-1] if earlier else 0
        history = [term for term in told.history.terms[::-1] if term.epoch >= first]
        kept = {term.token for term in history}
        yield from (
            f"I15 the history lacks {term.token}"
            for term in terms
            if term.began >= case.since and term.token not in kept
        )
        known = {term.token: term for term in terms}
        for term in history:
            own = known.get(term.token)
            if own is not None and abs(own.began - term.began - told.ahead) > 0.5:
                yield f"I15 {term.token} began {own.began - term.began - told.ahead:.3f} s later than is told"
        yield from _check_times(history)
        yield from (
            f"I16 {term.token} ended without a cause" for term in history[:-1] if not _cause(term)
        )


def _check_times(history: Sequence[Told]) -> Iterator[str]:
    for first, second in pairwise(history):
        end = first.end
        least = end.at if isinstance(end, Returned) else getattr(end, "after", None)
        if least is not None and not first.began <= least <= second.began + _CLOSE:
            yield f"I15 {first.token} is told to have ended before it began, or after {second.token} began"
    spans = [_span(first, second) for first, second in pairwise(history)]
    if history and None not in spans:
        whole = history[-1].began - history[0].began
        parts = sum(span for span in spans if span is not None)
        if abs(whole - parts) > _SHARE * max(whole, 1.0):
            yield f"I15 terms and gaps make up {parts:.3f} s of {whole:.3f} s"


def _span(first: Told, second: Told) -> float | None:
    match first.end:
        case Returned(at=at) | Unseen(after=float(at)):
            gap = second.gap if second.gap is not None else second.gap_at_most
            return None if gap is None else at - first.began + gap
        case _:
            return None


def _cause(term: Told) -> str:
    return term.end.cause if term.end is not None else ""
