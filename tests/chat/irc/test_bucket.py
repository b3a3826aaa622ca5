"""How fast lines may go out."""

from __future__ import annotations

import pytest

from hachat.chat.irc.bucket import Bucket


def test_burst_then_one_each_interval() -> None:
    """A full bucket gives a burst, and then as much as time has brought."""
    bucket = Bucket(4, 0.5)

    assert bucket.take(3, 100.0) == 3
    assert bucket.take(1, 100.0) == 1
    assert bucket.take(1, 100.4) == 0
    assert bucket.take(1, 100.5) == 1


def test_whole_parts_or_nothing() -> None:
    """What fits into a burst is given whole; of more, a burst."""
    bucket = Bucket(4, 0.5)

    assert bucket.take(10, 0.0) == 4
    assert bucket.take(3, 1.0) == 0
    assert bucket.take(3, 1.5) == 3


def test_waiting() -> None:
    """The wait is the time until something is given."""
    bucket = Bucket(4, 0.5)
    bucket.take(4, 0.0)

    assert bucket.wait(1, 0.0) == pytest.approx(0.5)
    assert bucket.wait(10, 1.0) == pytest.approx(1.0)
    assert bucket.take(10, 2.0) == 4
    assert bucket.wait(0, 2.0) == 0.0
