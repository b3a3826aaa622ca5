"""Daemons that die, stand still, leave and come back."""

from __future__ import annotations

import trio

from tests.whole.drills.drill import Drill
from tests.whole.drills.lab import Lab
from tests.whole.drills.oracle import Bounds

TTL = 5.0
SPAN = TTL + 0.5
"""Seconds without a master after one that has said nothing."""


async def kill_leader(lab: Lab) -> None:
    """Kill the master, and let the others wait out its lease."""
    leader = await lab.leader()
    lab.kill(leader)
    await lab.hear()
    lab.start(leader)


async def kill_leader_and_release(lab: Lab) -> None:
    """Kill the master, and do what systemd then does."""
    leader = await lab.leader()
    lab.kill(leader)
    done = await lab.daemons[leader].give_back()
    assert done.returncode == 0, done
    await lab.hear()
    lab.start(leader)


async def freeze_briefly(lab: Lab) -> None:
    """Stop the master for less than the lease's margin."""
    await lab.freeze(await lab.leader(), 0.4)
    await lab.hear()


async def freeze_for_a_lease(lab: Lab) -> None:
    """Stop the master for about as long as its lease lasts."""
    await lab.freeze(await lab.leader(), TTL)
    await lab.hear()


async def freeze_for_long(lab: Lab) -> None:
    """Stop the master until another has led for a while."""
    await lab.freeze(await lab.leader(), 2 * TTL)
    await lab.hear()


DRILLS = (
    Drill("leader-killed", 1, "nobody gives its lease back", kill_leader, Bounds(SPAN + 0.5, terms=1)),
    Drill(
        "leader-killed-and-released",
        1,
        "its lease is given back",
        kill_leader_and_release,
        Bounds(1.5, terms=1),
    ),
    Drill("leader-frozen-briefly", 2, "it keeps its term", freeze_briefly, Bounds(1.5, terms=0)),
    Drill("leader-frozen-for-a-lease", 2, "", freeze_for_a_lease, Bounds(SPAN + 1.5, late=1)),
    Drill("leader-frozen-for-long", 2, "", freeze_for_long, Bounds(SPAN + 0.5, terms=1, late=1)),
)
_ = trio
