"""A share of `make simulate` for every day, and the proof that each rule of the lease is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.simulation import __main__ as runner
from tests.simulation.chaos import RETURNED, Return
from tests.simulation.mutations import BROKEN
from tests.simulation.oracle import Report
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.world import Variant, simulate

SEEDS = 40
CHUNK = 10


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of lines that nobody reads cost more than the runs themselves."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_never_two_act_and_a_master_is_found(first: int) -> None:
    """Whatever fails, terms never overlap and tokens rise; and once it is calm, there is one master, who stays."""
    for seed in range(first, first + CHUNK):
        report = simulate(seed)
        assert not report.violation, runner.tell_failure(report)
        assert report.terms


@pytest.mark.parametrize("seed", REGRESSIONS)
def test_what_failed_once_does_not_fail_again(seed: int) -> None:
    """A seed that failed once, for whatever reason, is sound."""
    report = simulate(seed)
    assert not report.violation, runner.tell_failure(report)


@pytest.mark.parametrize("seed", [95, 360, 481, 494])
def test_a_deposed_redis_that_a_replica_returns_to_is_harmless(seed: int) -> None:
    """It grants a lease, which a replica confirms; nobody else acts before that has run out."""
    report = simulate(seed, Variant(chaos=Return))
    assert any(what.endswith("granted by r0.1") for at, what in report.log if at > RETURNED)
    assert not report.violation, runner.tell_failure(report)


def test_a_seed_tells_the_same_story_twice() -> None:
    """A run follows from its seed alone, so that a failure can be looked at again."""
    assert simulate(7).log == simulate(7).log


@pytest.mark.parametrize("rule", BROKEN)
def test_every_rule_is_needed(rule: str) -> None:
    """Break one rule, and some seed shows why it is there."""
    seed, variant = BROKEN[rule]
    tried = (seed, *range(400))
    assert any(simulate(each, variant).violation for each in tried), (
        f"nothing fails although {rule}"
    )


def test_regressions_run_with_any_range_but_not_with_one_seed_alone() -> None:
    """Seeds that failed once run first, each once; a seed that is run again runs alone."""
    assert runner.select(0, 13) == [*(s for s in REGRESSIONS if s > 12), *range(13)]
    assert list(runner.select(7, 1)) == [7]


def test_a_seed_that_fails_is_told_and_ends_the_run_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The story's end and the command that runs the seed again are printed, and the exit status says so."""
    failed = Report(8, violation="two act", log=[(1.5, "a begins"), (1.6, "b begins")])
    monkeypatch.setattr(runner, "_run_all", lambda seeds: [Report(7), failed])
    assert runner.main(["--seeds", "2", "--first", "7"]) == 1
    told = capsys.readouterr().out
    assert "1.6000  b begins" in told
    assert "make simulate SEEDS=1 FIRST=8" in told
    assert "1 seeds failed" in told
    monkeypatch.setattr(runner, "_run_all", lambda seeds: [Report(7)])
    assert runner.main(["--seeds", "1", "--first", "7"]) == 0


def test_a_simulation_that_breaks_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the elector's own is told with its seed, as a broken promise is."""

    def fail(seed: int) -> Report:
        raise ExceptionGroup("it broke", [ValueError("no such token")])

    monkeypatch.setattr(runner, "simulate", fail)
    report = runner.run(3)
    assert report.seed == 3
    assert report.violation
    assert "no such token" in report.log[0][1]
