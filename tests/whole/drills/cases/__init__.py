"""All drills, by name, in the order of the plan.

What of the plan's cases other tests show:

2   a stop between the look at the clock and the send    `tests/simulation`
3   a machine that is suspended                          `tests/cluster/test_elector.py`, `tests/simulation`
7   a Sentinel of the past, one that hangs               `tests/store/test_masters.py`, `tests/store/test_sentinels.py`
12  every script with its reply lost                     `tests/store/test_lost_replies.py`
13  clocks of other speeds                               `tests/simulation`
14  each refusal of Redis, and what follows from it      `tests/store/test_translation.py`, `tests/store/test_rights.py`
16  two processes of one name                            `tests/store/test_members.py`, `tests/whole/test_daemon.py`
17  a full disk                                          `tests/daemon/test_floor.py`
18  a step-down to one that is held, hangs or has been   `tests/whole/test_stepdown.py`
    missed, and what each asker is told
    its exit codes                                       `tests/cli/test_stepdown.py`
    asked for as Redis fails over, by command            `tests/whole/test_stepdown_failover.py`
19  two releases beside each other                       `tests/whole/test_upgrade.py`
22  a step-down at a time                                `tests/store/test_schedule.py`, `tests/whole/test_stepdown.py`
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.whole.drills.cases import clocks, irc, network, nodes, redis, sentinels, stepdowns
from tests.whole.drills.drill import Drill

MODULES = (network, nodes, stepdowns, redis, sentinels, clocks, irc)

DRILLS: Mapping[str, Drill] = {
    drill.name: drill
    for drill in sorted(
        (drill for module in MODULES for drill in module.DRILLS),
        key=lambda drill: drill.number,
    )
}
"""All of them."""
