"""Asking Redis again, in virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest
import structlog
import trio
import trio.testing

from hachat.core.errors import Fenced, StoreRefused, StoreUnavailable
from hachat.store.retry import retry


class Question:
    """Something asked of Redis that fails with each of `failures` before it is answered."""

    def __init__(self, *failures: Exception) -> None:
        self.asked: list[float] = []
        self._failures = list(failures)

    async def __call__(self) -> str:
        """Ask."""
        self.asked.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self._failures:
            raise self._failures.pop(0)
        return "answer"


async def test_it_asks_until_it_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    """Silence and refusals are waited out, and each is told."""
    question = Question(StoreUnavailable("away"), StoreRefused("out of memory"))

    with structlog.testing.capture_logs() as logs:
        assert await retry(question) == "answer"

    assert len(question.asked) == 3
    assert [entry["error"] for entry in logs] == ["away", "out of memory"]


async def test_it_asks_more_seldom_up_to_a_limit(autojump_clock: trio.testing.MockClock) -> None:
    """A Redis that comes back is found within a quarter of a second and is not flooded until then."""
    question = Question(*[StoreUnavailable("away")] * 30)

    with structlog.testing.capture_logs():
        await retry(question)

    gaps = [later - earlier for earlier, later in pairwise(question.asked)]
    assert gaps[0] <= 0.05
    assert all(0.125 <= gap <= 0.25 for gap in gaps[10:])


async def test_what_is_no_trouble_of_redis_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    """A clear no is not asked again."""
    question = Question(Fenced("the lease is no longer ours"))

    with pytest.raises(Fenced):
        await retry(question)

    assert len(question.asked) == 1


async def test_a_cancel_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever asks decides for how long."""
    question = Question(*[StoreUnavailable("away")] * 1000)

    with structlog.testing.capture_logs(), trio.move_on_after(60) as scope:
        await retry(question)

    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(60)
