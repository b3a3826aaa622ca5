"""How long somebody waits for the first reply: of a console in a running cluster, and of a demo that starts one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

RUNS = 10
COMMAND = (sys.executable, "-m", "hachat")
LINE = b"hachat ping\n"


@dataclass(frozen=True)
class Start:
    """Seconds from the start of a process to its first reply, of each run."""

    demo: Sequence[float]
    console: Sequence[float]


def measure_start(runs: int = RUNS) -> Start:
    """Start demos, each in a folder of its own, and a console beside each."""
    demo, console = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            began = monotonic()
            process = _start(("demo",), folder)
            try:
                demo.append(_wait_for_reply(process, began))
                began = monotonic()
                with _start(("console", "--config", ".demo/node-1.toml"), folder) as other:
                    console.append(_wait_for_reply(other, began))
                    _end(other)
            finally:
                _end(process)
    return Start(demo, console)


def _start(arguments: Sequence[str], folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def _wait_for_reply(process: subprocess.Popen[bytes], began: float) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(LINE)
    process.stdin.flush()
    if process.stdout.readline() != b"pong\n":
        raise RuntimeError("the bot did not answer")
    return monotonic() - began


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError):
        process.communicate(timeout=60.0)
