"""Who has to wait, and for how long."""

from __future__ import annotations

import pytest

from hachat.chat.limits import LAST_WAIT, Limits, Scope

ALL = Scope("t", "adapter")
UPLOADS = Scope("t", "uploads")


@pytest.fixture
def limits() -> Limits:
    """Limits whose waits are as long as they can be."""
    return Limits(lambda: 1.0)


def test_a_scope_is_held_until_its_time(limits: Limits) -> None:
    """What belongs to it waits for the rest of the time, and nothing else does."""
    limits.hold(UPLOADS, until=130.0)

    assert limits.wait([ALL, UPLOADS], now=100.0) == 30.0
    assert limits.wait([ALL], now=100.0) == 0.0
    assert limits.wait([Scope("other", "uploads")], now=100.0) == 0.0
    assert limits.wait([ALL, UPLOADS], now=130.0) == 0.0


def test_the_longest_hold_counts(limits: Limits) -> None:
    """Of several scopes the last one to be free decides; a shorter time that is named later shortens nothing."""
    limits.hold(ALL, until=110.0)
    limits.hold(UPLOADS, until=130.0)
    limits.hold(UPLOADS, until=105.0)

    assert limits.wait([ALL, UPLOADS], now=100.0) == 30.0


def test_what_redis_cannot_tell_from_now_is_now(limits: Limits) -> None:
    """A rest below a millisecond would make a room due at once, again and again."""
    limits.hold(ALL, until=100.0005)

    assert limits.wait([ALL], now=100.0) == 0.0


def test_trouble_waits_longer_each_time(limits: Limits) -> None:
    """Each lane by itself, up to a minute, and from the beginning after a success."""
    waits = [limits.fail("t/a") for _ in range(8)]

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LAST_WAIT, LAST_WAIT]
    assert limits.fail("t/b") == limits.fail(UPLOADS) == 1.0

    limits.succeed(["t/a", ALL])
    assert limits.fail("t/a") == 1.0
    assert limits.fail("t/b") == 2.0
