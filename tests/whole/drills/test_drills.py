"""Three servers in trouble: whatever is done to them, what hachat promises holds.

A lab is expensive to start, so several drills are played on each; each leaves it in order for the next.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from hachat.store.embedded import run_child
from tests.whole.drills.cases import DRILLS, MODULES
from tests.whole.drills.drill import Drill, find_lack
from tests.whole.drills.entry import command, way_in

SHORT = ("leader-killed-and-released", "redis-failover", "leader-frozen-briefly")
"""What `make test` plays."""

_LONGEST = 280.0
"""Seconds after which a lab is given up."""


EACH = 5
"""Drills that are played on one lab, at most."""


def split(drills: Sequence[Drill]) -> list[tuple[str, ...]]:
    """Return the names of the drills of each lab."""
    names = [drill.name for drill in drills]
    return [tuple(names[start : start + EACH]) for start in range(0, len(names), EACH)]


LABS = [lab for each in MODULES for lab in split(each.DRILLS)]


def play(folder: Path, names: Sequence[str]) -> None:
    """Play drills on one lab; it ends with this test, whatever ends that."""
    report = folder / "report"
    with run_child(command("--folder", str(folder), *names), output=report) as lab:
        try:
            code = lab.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            code = -1
    assert code == 0, f"exit {code}\n{report.read_text()[-12000:]}"
    assert report.read_text().count("ok ") >= len(names), report.read_text()


def playable(names: Sequence[str]) -> Sequence[str]:
    """Return the drills that can be played here; CI must have what they need."""
    lacking = {
        name: why for name in names if (why := find_lack(DRILLS[name], cables=bool(way_in())))
    }
    reasons = "; ".join(sorted(set(lacking.values())))
    if lacking and os.environ.get("CI"):
        pytest.fail(reasons)
    left = [name for name in names if name not in lacking]
    if not left:
        pytest.skip(reasons)
    return left


def test_a_few_drills(tmp_path: Path) -> None:
    """A dead master, a Redis failover and a short freeze cost nothing but a moment."""
    play(tmp_path, SHORT)


@pytest.mark.drill
@pytest.mark.parametrize("names", LABS, ids=lambda names: names[0])
def test_drills(tmp_path: Path, names: Sequence[str]) -> None:
    """All that is promised holds through each drill of a lab."""
    play(tmp_path, playable(names))


def test_every_drill_is_played() -> None:
    """No drill is left out, and none is played twice."""
    assert sorted(name for lab in LABS for name in lab) == sorted(DRILLS)
