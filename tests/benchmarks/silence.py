"""`make bench-failover`: for how long the bot says nothing when a node, a server or Redis fails or hands over.

Each failure is a drill, played again and again on three servers in network namespaces; every run is judged as a drill is.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import trio

from hachat.core.settings import LogSettings
from hachat.daemon.logging import configure
from tests.whole.drills.cases import DRILLS, nodes
from tests.whole.drills.drill import Drill, Verdict, play_all
from tests.whole.drills.entry import choose_ground, enter, way_in
from tests.whole.drills.oracle import Bounds

RATE = 50.0
"""Lines a second: silences shorter than 20 ms cannot be seen."""

RUNS = 10


class Figure(NamedTuple):
    """What is measured: by which drill, and how short the silence is meant to be, seconds."""

    name: str
    drill: Drill
    aim: float


_STEP_DOWN = Drill("step-down-once", 18, "", nodes.step_down_once, Bounds(2.5, terms=1))

FIGURES = (
    Figure("process killed, lease given back", DRILLS["leader-killed-and-released"], 0.5),
    Figure("step-down", _STEP_DOWN, 0.1),
    Figure("SIGTERM", DRILLS["leader-leaves"], 0.1),
    Figure("server cut off", DRILLS["leader-cut-off"], 5.5),
    Figure("planned Redis failover", DRILLS["redis-failover"], 1.5),
    Figure("Redis master killed", DRILLS["redis-killed"], 3.5),
    Figure("Redis master frozen", DRILLS["redis-frozen"], 3.5),
)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    chosen = parser.parse_args()
    enter("tests.benchmarks.silence")
    configure(LogSettings(level="error"), "bench")
    print(
        f"{'seconds without a reply':<34} {'aim':>6} {'min':>6} {'median':>6} {'max':>6}  runs  faults"
    )
    for figure in FIGURES:
        if way_in() or not figure.drill.cuts:
            print(_describe(figure, _measure(figure, chosen.runs)), flush=True)


def _measure(figure: Figure, runs: int) -> Sequence[Verdict]:
    drills = [figure.drill] * runs
    with tempfile.TemporaryDirectory() as folder:
        return trio.run(partial(play_all, Path(folder), choose_ground(), drills, rate=RATE))


def _describe(figure: Figure, verdicts: Sequence[Verdict]) -> str:
    silences = [verdict.silence for verdict in verdicts]
    faults = sorted({fault.split()[0] for verdict in verdicts for fault in verdict.faults})
    spread = " ".join(f"{pick(silences):6.2f}" for pick in (min, median, max))
    return f"{figure.name:<34} {figure.aim:>6.2f} {spread}  {len(verdicts):>4}  {' '.join(faults)}"


if __name__ == "__main__":
    main()
