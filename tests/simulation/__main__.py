"""`make simulate SEEDS=2000 FIRST=0`: lives of a cluster in virtual time, on all processors, and what they came to.

A seed that fails is told with the end of its story and the command that runs it alone; the program then ends with 1.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic

import structlog

from tests.simulation.oracle import Report
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.world import simulate

TAIL = 60
"""Lines of a failed story that are shown."""

_CHUNK = 8
_PROGRESS = 10.0


@dataclass
class Summary:
    """What many runs came to."""

    seeds: int = 0
    terms: int = 0
    failovers: int = 0
    wipes: int = 0
    overlaps: int = 0
    acknowledged: int = 0
    virtual: float = 0.0
    failed: list[int] = field(default_factory=list)

    def add(self, report: Report) -> None:
        """Count one run."""
        self.seeds += 1
        self.terms += len(report.terms)
        self.failovers += report.failovers
        self.wipes += report.wipes
        self.overlaps += report.overlaps
        self.acknowledged += report.acknowledged
        self.virtual += report.seconds
        if report.violation:
            self.failed.append(report.seed)

    def tell(self, seconds: float) -> str:
        """Return it in words; `seconds` is how long it took."""
        return (
            f"{self.seeds} seeds in {seconds:.0f} s ({self.virtual / 3600:.1f} h of virtual time): {self.terms} terms,"
            f" {self.failovers} failovers and {self.wipes} wipes of Redis, {self.acknowledged} writes acknowledged;"
            f" {self.overlaps} overlaps where none is promised; {len(self.failed)} seeds failed"
        )


def select(first: int, count: int) -> Sequence[int]:
    """Return the seeds to run: one alone, or many and those that failed once."""
    seeds = range(first, first + count)
    return seeds if count == 1 else [*(s for s in REGRESSIONS if s not in seeds), *seeds]


def tell_failure(report: Report) -> str:
    """Return what happened in a run that failed, and how to run it again."""
    story = "\n".join(f"{at:9.4f}  {what}" for at, what in report.log[-TAIL:])
    return (
        f"{story}\nseed {report.seed} failed: {report.violation}\n"
        f"again: make simulate SEEDS=1 FIRST={report.seed}\n"
    )


def run(seed: int) -> Report:
    """Run one seed, and take an error in it for a failure."""
    try:
        report = simulate(seed)
    except BaseExceptionGroup:
        return Report(seed, violation="the simulation broke", log=[(0.0, traceback.format_exc())])
    if not report.violation:
        report.log.clear()
    return report


def _be_quiet() -> None:
    # Thousands of lines that nobody reads cost more than the runs themselves.
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)


def _run_all(seeds: Sequence[int]) -> Iterator[Report]:
    with multiprocessing.Pool(os.cpu_count(), _be_quiet) as pool:
        yield from pool.imap_unordered(run, seeds, _CHUNK)


def _watch(reports: Iterable[Report], total: int) -> Summary:
    summary, told = Summary(), monotonic()
    for report in reports:
        summary.add(report)
        if report.violation:
            print(tell_failure(report), flush=True)
        if monotonic() - told >= _PROGRESS:
            told = monotonic()
            print(f"{summary.seeds} of {total} seeds", flush=True)
    return summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (%(default)s)")
    options = parser.parse_args(arguments)
    seeds, began = select(options.first, options.seeds), monotonic()
    summary = _watch(_run_all(seeds), len(seeds))
    print(summary.tell(monotonic() - began))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
