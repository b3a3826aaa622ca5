"""Nodes are killed, frozen and cut off from Redis under load, and nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.whole.nemesis import plan
from tests.whole.torture import torture

SECONDS = float(os.environ.get("TORTURE_SECONDS", "25"))
"""How long the torture lasts here; `make torture` takes longer, and other seeds."""

SEED = 1


# A node that dies while a webhook is sent to it leaves a generator of httpx's half read.
@pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")
async def test_nothing_is_lost_whatever_the_nodes_suffer(tmp_path: Path) -> None:
    """What people and senders asked for is answered once, in order, soon after a death, and nothing is left in Redis."""
    outcome = await torture(tmp_path, seed=SEED, seconds=SECONDS)

    assert not outcome.faults, outcome.report
    assert outcome.judgement.asked


def test_a_seed_says_all_that_is_done() -> None:
    """The same seed is the same plan."""
    assert plan(7, 30.0) == plan(7, 30.0)
    assert plan(7, 30.0) != plan(8, 30.0)
