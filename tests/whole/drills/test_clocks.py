"""A clock that a test sets is wrong at once, and the other clocks are right."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.whole.drills.clocks import Clock, lack_compiler

_SHOW = """
import time
while input():
    print(time.time(), time.clock_gettime(time.CLOCK_REALTIME), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME), flush=True)
"""


def test_only_the_wall_clock_jumps(tmp_path: Path) -> None:
    """A process that runs sees an hour more, an hour less and the right time; its monotonic clocks are ours."""
    if (lack := lack_compiler()) and not os.environ.get("CI"):
        pytest.skip(lack)
    clock = Clock(tmp_path / "clock")
    with subprocess.Popen(
        [*clock.command, sys.executable, "-c", _SHOW],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for ahead in (3600, -3600, 0):
            clock.put(ahead)
            process.stdin.write("?\n")
            process.stdin.flush()
            wall, same, *others = map(float, process.stdout.readline().split())
            ours = (time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
            assert abs(wall - time.time() - ahead) < 60
            assert abs(same - wall) < 60
            assert all(abs(other - our) < 60 for other, our in zip(others, ours, strict=True))
        process.kill()
