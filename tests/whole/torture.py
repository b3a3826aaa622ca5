"""`make torture`: three daemons under load and in trouble, and a judge of what came of it.

People say things in the channels of a `Network`, senders post webhooks, often more than once, and a `Nemesis` does to the
nodes what the seed says.  Afterwards everything must have been answered once and in order, as far as it is promised, and nothing
be left in Redis that should not be.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic

import trio

from tests.store.mutations import MUTATIONS
from tests.waiting import until
from tests.whole.cluster import PROGRAM, Cluster, run_cluster
from tests.whole.crowd import ROOMS, Crowd
from tests.whole.judge import Judgement, Promise, Told, find_number, judge, read_logs
from tests.whole.nemesis import Nemesis, plan
from tests.whole.network import Network
from tests.whole.watch import Recovery, Watch, find_leftovers

PROMISE = Promise(patience=0.5, retries=True)
"""What this release promises."""

RECOVERED_WITHIN = 13.0
"""Seconds until a dead node's conversations go on elsewhere: its lease of life, a heartbeat of another, and a little."""

SETTLED_WITHIN = 30.0
"""Seconds after the load in which everything must be answered: a last recovery, a restart, and what had piled up."""

_SETTINGS = """
[chat.irc]
host = "127.0.0.1"
port = {port}
channels = [{channels}]
burst = 10000
interval = 0.0001
"""


@dataclass(frozen=True)
class Outcome:
    """What came of it: the judgement, how long each recovery took, what was left, who fell over, what is dead or given up."""

    seed: int
    judgement: Judgement
    terms: int
    recoveries: Sequence[Recovery] = ()
    leftovers: Sequence[str] = ()
    fallen: Sequence[str] = ()
    dead: Sequence[str] = ()
    given_up: int = 0
    settled: float = 0.0
    log: Sequence[str] = field(default=(), repr=False)

    @property
    def faults(self) -> list[str]:
        """What is wrong, a line each; nothing, if all is well."""
        slow = [one for one in self.recoveries if one.seconds > RECOVERED_WITHIN]
        judged = [self.judgement] if not self.judgement.fine else []
        return [
            *map(str, judged),
            *(f"too slow: {one}" for one in slow),
            *(f"left over: {key}" for key in self.leftovers),
            *(f"fell over: {node}" for node in self.fallen),
            *(f"dead letter: {letter}" for letter in self.dead),
        ]

    @property
    def summary(self) -> str:
        """The figures, in a few lines."""
        judged = self.judgement
        worst = max((one.seconds for one in self.recoveries), default=0.0)
        return (
            f"asked {judged.asked}, replies {judged.heard}, masters {self.terms}\n"
            f"lost {len(judged.lost)}, out of order {len(judged.disordered)},"
            f" doubled {len(judged.doubled)}, doubled in doubt {len(judged.doubted)},"
            f" dead letters {len(self.dead)}, given up after three deaths {self.given_up}\n"
            f"recoveries {len(self.recoveries)}, the slowest {worst:.1f} s; keys left {len(self.leftovers)};"
            f" settled in {self.settled:.1f} s"
        )

    @property
    def report(self) -> str:
        """Everything that helps to find a fault."""
        return "\n".join([f"seed {self.seed}", *self.log, *self.faults, self.summary])


async def torture(
    directory: Path, *, seed: int, seconds: float, program: Sequence[str] = PROGRAM
) -> Outcome:
    """Torture a cluster for `seconds`, let it settle, and return what came of it."""
    network = Network()
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run)
        channels = ", ".join(f'"{room}"' for room in ROOMS)
        settings = _SETTINGS.format(port=network.port, channels=channels)
        async with run_cluster(
            directory, settings=settings, proxied=True, program=program
        ) as cluster:
            outcome = await _torture(cluster, network, seed, seconds)
            for daemon in cluster.daemons.values():
                daemon.kill()  # they could not say goodbye: nobody carries it while they are waited for
        nursery.cancel_scope.cancel()
    return outcome


async def _torture(cluster: Cluster, network: Network, seed: int, seconds: float) -> Outcome:
    nemesis, crowd = Nemesis(cluster), Crowd(cluster, network, random.Random(seed))
    watch = Watch(cluster, nemesis)

    async def judge_now() -> Judgement:
        told = _read(cluster, await watch.read_dead())
        return judge(crowd.asks, network.record, told, PROMISE, terms=await watch.count_terms())

    async def is_settled() -> bool:
        return watch.quiet and not (await judge_now()).lost

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        async with trio.open_nursery() as acting:
            acting.start_soon(crowd.shout, seconds)
            acting.start_soon(nemesis.rage, plan(seed, seconds))
        ended = monotonic()
        with trio.move_on_after(SETTLED_WITHIN):
            await until(is_settled, SETTLED_WITHIN + 1)
        settled = monotonic() - ended
        with trio.move_on_after(5.0):
            await until(lambda: _is_empty(cluster), 6.0)
        nursery.cancel_scope.cancel()
    letters = await watch.read_dead()
    return Outcome(
        seed=seed,
        judgement=await judge_now(),
        terms=await watch.count_terms(),
        recoveries=watch.recoveries,
        leftovers=await find_leftovers(cluster),
        fallen=watch.fallen,
        dead=[letter for letter in letters if find_number(letter) is None],
        given_up=sum(find_number(letter) is not None for letter in letters),
        settled=settled,
        log=nemesis.log,
    )


async def _is_empty(cluster: Cluster) -> bool:
    return not await find_leftovers(cluster)


def _read(cluster: Cluster, letters: Sequence[str]) -> Told:
    logs = [daemon.log.read_text(errors="replace") for daemon in cluster.daemons.values()]
    told = read_logs(line for log in logs for line in log.splitlines())
    return replace(told, given_up={number for letter in letters if (number := find_number(letter))})


def main() -> None:
    """Torture as the command line says, and end with 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--without", choices=MUTATIONS, help="take away a rule, to see that it is missed"
    )
    chosen = parser.parse_args()
    program = ["-m", "tests.whole.mutated", chosen.without] if chosen.without else PROGRAM
    with tempfile.TemporaryDirectory() as name:
        act = partial(
            torture, Path(name), seed=chosen.seed, seconds=chosen.seconds, program=program
        )
        outcome = trio.run(act)
    print(outcome.report)
    raise SystemExit(1 if outcome.faults else 0)


if __name__ == "__main__":
    main()
