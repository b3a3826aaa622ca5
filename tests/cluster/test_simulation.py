"""Whole lives of a cluster in virtual time, and the proof that each rule of the lease is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from math import inf

import pytest
import structlog
import trio

from hachat.cluster.elector import Duty, Elector, Term
from hachat.core.lease import Lease
from tests.cluster.fake_lease import Rules
from tests.cluster.fake_node import TIMING
from tests.cluster.simulation import Variant, simulate

SEEDS = 200
CHUNK = 20


class LeaseFromAnswer(Lease):
    """Counts the lease from the moment the answer came."""

    def confirm(self, sent: float, now: float, jitter: float) -> None:
        """Forget when the question was sent."""
        super().confirm(now, now, jitter)


class LeaseWithoutMargin(Lease):
    """Trusts that all clocks run alike, and that stopping takes no time."""

    def _prolong(self, sent: float, jitter: float) -> None:
        super()._prolong(sent, jitter)
        self.until = sent + TIMING.ttl


class TermWithoutDeadline(Term):
    """Goes on until Redis says that the lease is lost."""

    def follow_clock(self) -> None:
        """Let the scope stand."""
        self.scope.deadline = inf


class HastyElector(Elector):
    """Gives the lease back when asked to leave, while the duty still drains."""

    async def _act(self, term: Term, duty: Duty) -> bool:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._leave, term)
            fine = await super()._act(term, duty)
            nursery.cancel_scope.cancel()
        return fine

    async def _leave(self, term: Term) -> None:
        await term.leaving.wait()
        await self._say_goodbye(term)


BROKEN = {
    "the deadline counts from the answer": (103, Variant(lease=LeaseFromAnswer)),
    "the lease has no margin and no drift": (22, Variant(lease=LeaseWithoutMargin)),
    "the scope has no deadline": (3, Variant(term=TermWithoutDeadline)),
    "the lease is released before the nursery has closed": (1, Variant(elector=HastyElector)),
    "a candidate does not wait for silence": (55, Variant(rules=Rules(silence=False))),
    "a candidate does not wait out a new Redis": (2, Variant(rules=Rules(identity=False))),
    "a candidate need not have seen the last event": (74, Variant(rules=Rules(sight=False))),
    "a renewal does not compare the token": (6, Variant(rules=Rules(renew_compares_token=False))),
    "a late renewal brings back a released lease": (
        32,
        Variant(rules=Rules(renew_reads_record=False)),
    ),
    "a confirmation counts without replicas": (3, Variant(rules=Rules(acknowledged=False))),
    "the fence lets later tokens pass": (0, Variant(rules=Rules(fence_is_equality=False))),
}
"""Each rule of the lease, broken, and a seed that showed what comes of it; tried first, because most seeds do not."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of lines that nobody reads cost more than the runs themselves."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_never_two_act_and_a_master_is_found(first: int) -> None:
    """Whatever fails, terms never overlap and tokens rise; and once it is calm, there is one master, who stays."""
    for seed in range(first, first + CHUNK):
        report = simulate(seed)
        assert not report.violation, f"seed {seed}: {report.violation}"
        assert report.terms


def test_a_seed_tells_the_same_story_twice() -> None:
    """A run follows from its seed alone, so that a failure can be looked at again."""
    assert simulate(7).log == simulate(7).log


@pytest.mark.parametrize("rule", BROKEN)
def test_every_rule_is_needed(rule: str) -> None:
    """Break one rule, and some seed shows why it is there."""
    seed, variant = BROKEN[rule]
    assert any(simulate(tried, variant).violation for tried in (seed, *range(SEEDS))), (
        f"nothing fails although {rule}"
    )
