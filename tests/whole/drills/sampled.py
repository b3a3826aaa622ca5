"""What samples of `/master` prove: that two nodes said so at the same moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from tests.whole.drills.events import Any, Sampled, of_kind

_MASTER = 200

_TOGETHER = 0.25
"""Seconds between two samples of which the node was surely master all the time, if it was in both."""


class _Span(NamedTuple):
    """A node was master all the time from `start` to `end`; if the first is later, at some moment between them."""

    node: str
    start: float
    end: float


def find_pairs(events: Sequence[Any]) -> Iterator[str]:
    """Yield a line for each two nodes that were surely master at the same moment."""
    spans = [span for samples in _split(events).values() for span in _find_spans(samples)]
    for one, other in combinations(sorted(spans, key=lambda span: min(span[1:])), 2):
        if one.node != other.node and _overlap(one, other):
            yield f"both {one.node} and {other.node} were master at {max(one.start, other.start):.3f}"


def _split(events: Sequence[Any]) -> dict[str, list[Sampled]]:
    nodes: dict[str, list[Sampled]] = defaultdict(list)
    for sample in of_kind(events, Sampled):
        nodes[sample.node].append(sample)
    return nodes


def _find_spans(samples: Sequence[Sampled]) -> Iterator[_Span]:
    run: list[Sampled] = []
    for sample in [*samples, None]:
        goes_on = (
            sample is not None
            and sample.code == _MASTER
            and (not run or sample.at - run[-1].asked < _TOGETHER)
        )
        if not goes_on and run:
            # From the first answer to the last question: that is what is certain.
            yield _Span(run[0].node, run[0].at, run[-1].asked)
            run = []
        if sample is not None and sample.code == _MASTER:
            run.append(sample)


def _overlap(one: _Span, other: _Span) -> bool:
    if one.start <= one.end and other.start <= other.end:
        return max(one.start, other.start) < min(one.end, other.end)
    for certain, vague in ((one, other), (other, one)):
        # A single answer: it holds somewhere between the question and the answer, which come here the other way round.
        if certain.start <= certain.end and vague.start > vague.end:
            return certain.start <= vague.end and vague.start <= certain.end
    return False
