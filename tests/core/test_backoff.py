"""The waits between tries."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.backoff import backoff


def test_waits_double_up_to_the_cap() -> None:
    """Without luck the waits are base, twice that, and so on, and never more than the cap."""
    assert list(islice(backoff(1.0, 10.0, lambda: 1.0), 6)) == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_jitter_takes_away_half_at_most() -> None:
    """The luckiest draw halves every wait."""
    assert list(islice(backoff(1.0, 4.0, lambda: 0.0), 4)) == [0.5, 1.0, 2.0, 2.0]


@given(st.floats(min_value=0.01, max_value=10), st.integers())
def test_no_wait_leaves_its_bounds(base: float, seed: int) -> None:
    """Each wait lies between half of the nominal one and the whole."""
    draws = random.Random(seed).random
    nominal = base
    for wait in islice(backoff(base, 60.0, draws), 20):
        assert nominal / 2 <= wait <= nominal
        nominal = min(60.0, 2 * nominal)


def test_each_wait_is_drawn_anew() -> None:
    """Two nodes that failed together do not come back together for ever."""
    draws = iter([0.0, 1.0])

    assert list(islice(backoff(1.0, 1.0, lambda: next(draws)), 2)) == pytest.approx([0.5, 1.0])
