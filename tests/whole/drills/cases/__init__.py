"""All drills, by name, in the order of the plan."""

from __future__ import annotations

from collections.abc import Mapping

from tests.whole.drills.cases import network, nodes, redis, sentinels
from tests.whole.drills.drill import Drill

DRILLS: Mapping[str, Drill] = {
    drill.name: drill
    for drill in sorted(
        (*nodes.DRILLS, *redis.DRILLS, *network.DRILLS, *sentinels.DRILLS),
        key=lambda drill: drill.number,
    )
}
