"""The same on a real IRC server, which plays nothing again to who comes late."""

from __future__ import annotations

from tests.chat.ngircd import lack_ngircd
from tests.whole.drills.cases.nodes import SPAN, kill_leader, step_down
from tests.whole.drills.drill import Drill
from tests.whole.drills.oracle import Bounds

UNHEARD = ("I4",)
"""What is said while no bot is there is not heard on IRC, so it is not answered."""

DRILLS = (
    Drill(
        "leader-killed-on-ngircd",
        1,
        "people are answered again",
        kill_leader,
        Bounds(SPAN + 1, terms=1, forgives=UNHEARD),
        lacks=lack_ngircd,
        irc=True,
    ),
    Drill(
        "step-down-on-ngircd",
        18,
        "what is said in the moment in which no bot is there is not heard",
        step_down,
        Bounds(2.5, terms=3, forgives=UNHEARD),
        lacks=lack_ngircd,
        irc=True,
    ),
)
