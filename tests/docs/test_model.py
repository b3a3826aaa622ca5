"""The model of the lease in docs/model is sound as it stands, and breaks without any one of its rules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "docs" / "model" / "lease.pml"
TOOLS = ("spin", "gcc")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
SETTINGS = {"takeovers": ["-DFAILOVER=0"], "failover": ["-DTERMS=1"]}
"""Two searches that end: takeovers and releases on one server, and a failover around a term."""

MASTERS, TOKENS, FENCE = "acting", "latest)", "holder"
BROKEN = {
    "NO_SILENCE": ("takeovers", MASTERS),
    "NO_SIGHT": ("takeovers", MASTERS),
    "NO_SENDING": ("takeovers", MASTERS),
    "NO_MARGIN": ("takeovers", MASTERS),
    "NO_DEADLINE": ("takeovers", MASTERS),
    "NO_DRAIN": ("takeovers", MASTERS),
    "NO_RECORD": ("takeovers", FENCE),
    "NO_COMPARE": ("takeovers", FENCE),
    "NO_FENCE": ("takeovers", FENCE),
    "NO_LOCK_DELAY": ("failover", MASTERS),
    "NO_FLOOR": ("failover", MASTERS),
    "NO_CONFIG": ("failover", TOKENS),
    "NO_WAIT": ("failover", MASTERS),
}
"""Each rule that can be taken away, the search that shows why it is there, and the assertion that fails."""


CALM = ["-DCALM=1", "-DFAILOVER=0", "-DTERMS=1"]
"""The search for a way in which nobody becomes master although somebody could."""

STUCK = ["NO_RETRY", "NO_TAKEOVER"]
"""Each rule without which there is such a way."""


@pytest.fixture(autouse=True)
def _tools() -> None:
    """Without its tools the model is not checked on a laptop, and nothing lands unchecked."""
    if MISSING and not os.environ.get("CI"):
        pytest.skip(f"not installed: {', '.join(MISSING)}")
    assert not MISSING, "install spin and gcc: the model of the lease is part of the checks"


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_model_is_sound(setting: str, tmp_path: Path) -> None:
    """Every state is visited, and in none do two masters act, tokens fall or a write pass that is nobody's."""
    report = search(tmp_path, *SETTINGS[setting])

    assert "errors: 0" in report, report
    check_complete(report)


@pytest.mark.parametrize("rule", BROKEN)
def test_every_rule_of_the_model_is_needed(rule: str, tmp_path: Path) -> None:
    """Take one rule away, and the search finds what comes of it."""
    setting, promise = BROKEN[rule]
    # Breadth first: the shortest story, and found soon.
    report = search(tmp_path, *SETTINGS[setting], f"-D{rule}", breadth_first=True)

    (violated,) = re.findall(r"assertion violated (.*) \(at depth", report)
    assert promise in violated


def test_a_master_is_found_in_the_end(tmp_path: Path) -> None:
    """With Redis up, fair turns and one node that can, it is master at some time, whatever has happened before."""
    report = search(tmp_path, *CALM, endless=True)

    assert "errors: 0" in report, report
    check_complete(report)


@pytest.mark.parametrize("rule", STUCK)
def test_no_master_is_found_without_a_rule(rule: str, tmp_path: Path) -> None:
    """Take it away, and there is a way in which the node waits for ever."""
    report = search(tmp_path, *CALM, f"-D{rule}", endless=True)

    assert "acceptance cycle (at depth" in report, report


def test_every_switch_is_tried() -> None:
    """A rule that the model can do without is listed here."""
    switches = set(re.findall(r"\bNO_[A-Z_]*[A-Z]\b", MODEL.read_text()))
    assert switches == BROKEN.keys() | set(STUCK)


def check_complete(report: str) -> None:
    """Fail unless the search has been through everything."""
    assert "Search not completed" not in report, report
    assert "max search depth too small" not in report, report
    assert "out of memory" not in report, report
    assert int(re.findall(r"(\d+) states, stored", report)[0]) > 50_000


def search(where: Path, *flags: str, breadth_first: bool = False, endless: bool = False) -> str:
    """Return what the search through the model with `flags` reports; it takes at most 2 GB and two minutes.

    It looks for states that must not be, or for `endless` ways, with fair turns, on which what must come does not.
    """
    run(where, "spin", "-a", *flags, str(MODEL))
    # A short search takes less time than a compiler that optimises.
    how = ["-O0", "-DBFS"] if breadth_first else ["-O2"]
    aim = ["-DNFAIR=3"] if endless else ["-DSAFETY"]
    run(where, "gcc", "-w", "-DNOREDUCE", "-DMEMLIM=2000", *aim, *how, "-o", "pan", "pan.c")
    return run(where, "./pan", "-m20000", "-w22", "-n", *(["-a", "-f"] if endless else []))


def run(where: Path, *command: str) -> str:
    """Return what `command` prints."""
    done = subprocess.run(
        command, cwd=where, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
