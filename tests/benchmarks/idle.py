"""What a cluster costs that nobody talks to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import trio

from tests.whole.cluster import Cluster, run_cluster

SECONDS = 20.0
"""How long it is left alone."""


@dataclass(frozen=True)
class Idle:
    """Commands a second and node, those inside scripts counted, and the busiest node's share of a core."""

    commands: float
    cpu: float


async def measure_idle(directory: Path) -> Idle:
    """Leave three daemons alone and see what they do."""
    async with run_cluster(directory) as cluster:
        pids = [daemon.process.pid for daemon in cluster.daemons.values()]
        commands, began = await _count_commands(cluster), monotonic()
        before = [_read_cpu(pid) for pid in pids]
        await trio.sleep(SECONDS)
        spent = monotonic() - began
        commands = await _count_commands(cluster) - commands
        shares = [(_read_cpu(pid) - start) / spent for pid, start in zip(pids, before, strict=True)]
    return Idle(commands / spent / len(pids), max(shares))


async def _count_commands(cluster: Cluster) -> int:
    facts = (await cluster.link.command("INFO", "stats")).decode()
    lines = dict(line.split(":", 1) for line in facts.splitlines() if ":" in line)
    return int(lines["total_commands_processed"])


def _read_cpu(pid: int) -> float:
    """Return the seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
