"""Runs are counted in the process, where there is no cluster."""

from __future__ import annotations

from hachat.bot import throttle
from hachat.bot.throttle import LocalThrottle
from hachat.core.rates import Rate, Turn


async def test_names_do_not_meet() -> None:
    """Each is counted by itself, as the clock says."""
    now = 0.0
    take = LocalThrottle(lambda: now)
    rate = Rate(1, 60.0)

    assert await take("a", rate) == Turn()
    assert await take("b", rate) == Turn()
    assert await take("a", rate) == Turn(60.0, first=True)
    assert await take("a", rate) == Turn(60.0)
    now = 60.0
    assert await take("a", rate) == Turn()


async def test_it_does_not_grow_for_ever() -> None:
    """The names that were not used for the longest time are forgotten."""
    take = LocalThrottle(lambda: 0.0)
    for number in range(throttle._MOST + 5):
        await take(str(number), Rate(1, 60.0))

    assert len(take._counts) == throttle._MOST
    assert not (await take("0", Rate(1, 60.0))).wait
