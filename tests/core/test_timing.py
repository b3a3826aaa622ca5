"""How long a lease lasts."""

from __future__ import annotations

import pytest

from hachat.core.errors import SettingsError
from hachat.core.timing import Timing


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"ttl": 5.0, "renew": 2.0}, "raise ttl to at least 5.3"),
        ({"lock_delay": 4.9}, "lock_delay 4.9 s is less than ttl 5 s"),
        ({"drift": 0.5}, "drift 0.5 is not a share"),
    ],
)
def test_timings_that_cannot_work_are_refused(wrong: dict[str, float], fault: str) -> None:
    """A lease that could be outlived by a send, or by a term, is refused with what to change."""
    with pytest.raises(SettingsError, match=fault):
        Timing(**wrong)


def test_all_faults_are_told_at_once() -> None:
    """Nobody wants to mend one fault to meet the next."""
    with pytest.raises(SettingsError) as raised:
        Timing(renew=4.0, lock_delay=1.0, drift=1.0)
    assert len(raised.value.faults) == 3


def test_the_defaults_work() -> None:
    """The defaults keep their own rules, to the last float."""
    assert Timing().span == pytest.approx(4.45)
    assert Timing(renew=1.7).bar == 10.0
