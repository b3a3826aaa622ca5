"""`make bench`: what hachat costs and how long it is silent, on this machine, as a table.

Every figure that a busy machine can spoil is a median, and what is compared is measured in turn.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median

import redis
import trio

from hachat.store.embedded import run_server
from tests.benchmarks.failover import (
    measure_hand_overs,
    measure_master_kills,
    measure_worker_kills,
)
from tests.benchmarks.idle import measure_idle
from tests.benchmarks.latency import Latency, measure_latency
from tests.benchmarks.release import measure_releases
from tests.benchmarks.routing import measure_routing
from tests.benchmarks.start import measure_start
from tests.benchmarks.throughput import measure_ancestors, measure_hachat
from tests.benchmarks.worker import Cost, measure_worker, redis_seconds
from tests.whole.oracle import Account

MESSAGES = 10_000
ROUNDS = 9
WORKER_ROUNDS = 3
WEBHOOKS = 100_000

# What a message costs Redis depends on its allocator: Debian's server has that of production, the embedded one libc's.
_FOUND = shutil.which("redis-server")
BINARY = Path(_FOUND) if _FOUND else None


def main() -> None:
    """Measure everything, or what is named, and print it."""
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n"
    )
    with tempfile.TemporaryDirectory() as name:
        parts: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
            "routing": _measure_routing,
            "release": partial(_measure_release, Path(name)),
            "start": _measure_start,
        }
        chosen = [parts[part]() for part in sys.argv[1:]] or [measure(Path(name))]
        for title, value in chain.from_iterable(chosen):
            print(f"{title:<58} {value}", flush=True)


def measure(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield what was measured and its figure."""
    yield from _measure_routing()
    yield from _measure_start()
    yield from _measure_throughput(directory / "throughput")
    yield from _measure_worker(directory / "worker")
    yield from _measure_latency(directory / "latency")
    idle = trio.run(measure_idle, directory / "idle")
    yield (
        "idle: Redis commands a second and node, scripts' own counted",
        f"{idle.commands:.1f}  (target <= 5)",
    )
    yield "idle: share of a core, the busiest node", f"{idle.cpu:.2%}  (target <= 1 %)"
    gaps = trio.run(measure_hand_overs, directory / "hand-overs")
    yield (
        f"{len(gaps.lease)} hand-overs: nobody held the lease, median / worst",
        f"{median(gaps.lease) * 1000:.0f} / {max(gaps.lease) * 1000:.0f} ms  (target median < 100 ms)",
    )
    yield (
        f"  nobody was answered (a line each {gaps.spacing * 1000:.0f} ms), median",
        f"{median(gaps.answers) * 1000:.0f} ms",
    )
    yield "  lines", _describe(gaps.account)
    yield from _measure_release(directory / "release")
    kills = trio.run(measure_worker_kills, directory / "worker-kills")
    yield (
        f"{kills.kills} workers killed in mid-handler, 50 lines a second",
        _describe(kills.account),
    )
    silences = trio.run(measure_master_kills, directory / "master-kills")
    yield (
        f"{len(silences)} masters killed: seconds until the next line is answered",
        f"median {median(silences):.1f}, worst {max(silences):.1f}  (target <= ttl 5 + 1)",
    )


def _measure_release(directory: Path) -> Iterator[tuple[str, str]]:
    seconds = trio.run(measure_releases, directory)
    yield (
        f"{len(seconds)} masters killed: hachat release, start to finish, median / worst",
        f"{median(seconds) * 1000:.0f} / {max(seconds) * 1000:.0f} ms  (target < 100 ms)",
    )


def _measure_routing() -> Iterator[tuple[str, str]]:
    for title, seconds in measure_routing():
        yield f"1,000 routes, {title}", f"{seconds * 1e6:.1f} µs  (target < 100)"


def _measure_start() -> Iterator[tuple[str, str]]:
    start = measure_start()
    for title, seconds in (("demo", start.demo), ("console", start.console)):
        yield (
            f"hachat {title}: from its start to the first reply, median / worst",
            f"{median(seconds):.2f} / {max(seconds):.2f} s  (target < 2)",
        )


def _measure_throughput(directory: Path) -> Iterator[tuple[str, str]]:
    rounds, used = [], []
    with (
        run_server(directory, binary=BINARY) as server,
        redis.Redis.from_url(server.url) as client,
    ):
        for turn in range(ROUNDS):
            began = redis_seconds(client)
            ours = measure_hachat(server.url, MESSAGES + turn)
            used.append((redis_seconds(client) - began) / (MESSAGES + turn))
            rounds.append((ours, measure_ancestors(server.url, MESSAGES)))
    rates, theirs = [a for a, _ in rounds], median(b for _, b in rounds)
    yield (
        "throughput, one node in all roles, messages a second",
        f"median {median(rates):,.0f}, best {max(rates):,.0f}  (target >= 8,000)",
    )
    yield (
        "  processor time of Redis for one of them",
        f"median {median(used) * 1e6:.0f}, best {min(used) * 1e6:.0f} us  (target <= 50)",
    )
    yield "  BLPOP and RPUSH one at a time, the same round", f"{theirs:,.0f}"
    yield "  ratio, median of the rounds", f"{median(a / b for a, b in rounds):.2f}  (target >= 3)"


def _measure_worker(directory: Path) -> Iterator[tuple[str, str]]:
    cases = ((600, 0), (1, 0), (100, 0), (10_000, 0), (600, 1_000_000))
    costs: dict[tuple[int, int], list[Cost]] = {case: [] for case in cases}
    with run_server(directory, binary=BINARY) as server:
        for _ in range(WORKER_ROUNDS):  # in turn: what slows the machine slows them all
            for case, measured in costs.items():
                measured.append(measure_worker(server.url, MESSAGES, *case))
    # What disturbs makes it only worse.
    best = {case: max(measured, key=lambda cost: cost.rate) for case, measured in costs.items()}
    usual = best[cases[0]]
    yield "a worker alone, 600 rooms, messages a second", f"{usual.rate:,.0f}  (target >= 15,000)"
    for (rooms, behind), cost in list(best.items())[1:]:
        shares = (cost.ours / usual.ours, cost.redis / usual.redis)
        yield (
            f"  rooms: {rooms:,}, waiting behind them: {behind:,}",
            "{:,.0f}; processor time {:.2f} x ours, {:.2f} x Redis's".format(cost.rate, *shares),
        )


def _measure_latency(directory: Path) -> Iterator[tuple[str, str]]:
    with run_server(directory) as server:
        alone = measure_latency(server.url, 20.0, 200)
        yield "latency of a line alone, median / p99", _in_ms(alone)
        yield (
            "  at 1,000 a second, random, median / p99",
            f"{_in_ms(measure_latency(server.url, 1000.0, 10_000))}  (target p99 <= 15 ms more)",
        )
        flooded = measure_latency(server.url, 20.0, 200, WEBHOOKS)
        yield (
            f"  while {WEBHOOKS:,} webhooks wait, {flooded.waiting:,} at the end",
            f"{_in_ms(flooded)}  (target p99 <= 50 ms more)",
        )


def _in_ms(latency: Latency) -> str:
    return " / ".join(f"{latency.quantile(share) * 1000:.1f}" for share in (0.5, 0.99)) + " ms"


def _describe(account: Account) -> str:
    wrong = (account.lost, account.doubled, account.disordered)
    return "{} typed, {} lost, {} doubled, {} out of order".format(account.typed, *map(len, wrong))


if __name__ == "__main__":
    main()
