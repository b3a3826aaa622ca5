"""One drill after the other on one lab: in order, harm, in order again, and judged."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import trio

from hachat.cluster.term import read_clock
from hachat.core.errors import HachatError
from hachat.store.history import History, read_history
from tests.waiting import until
from tests.whole.drills.events import Any, Asked, Began, Ended, Orphan, Sent, Told, save
from tests.whole.drills.ground import Loopback
from tests.whole.drills.lab import RATE, Lab, run_lab
from tests.whole.drills.mending import mend
from tests.whole.drills.oracle import Bounds, Case, check, longest_silence
from tests.whole.drills.orphans import find_orphans
from tests.whole.judge import read_logs

_SETTLED = 25.0
"""Seconds after a drill in which everything must be answered."""

_SOON = 5.0

Play = Callable[[Lab], Awaitable[None]]


@dataclass(frozen=True)
class Drill:
    """What is done and what is allowed; `number` is the case's of the plan, `cuts` whether it needs cables to cut.

    `lacks` tells what else it needs that is not there, `irc` that the chat server is a real one, `alone` that what it leaves
    behind would spoil another drill.
    """

    name: str
    number: int
    about: str
    play: Play
    bounds: Bounds
    cuts: bool = False
    lacks: Callable[[], str] = lambda: ""
    irc: bool = False
    alone: bool = False


def find_lack(drill: Drill, *, cables: bool) -> str:
    """Return why a drill cannot be played here, where there are `cables` or not; an empty text if it can."""
    if drill.cuts and not cables:
        return "network namespaces cannot be made, so nothing can be cut off"
    return drill.lacks()


@dataclass(frozen=True)
class Verdict:
    """What came of a drill: what is wrong, what was done, for how long nothing was sent, seconds; whether the lab is left in no order."""

    drill: Drill
    faults: Sequence[str]
    log: Sequence[str]
    silence: float
    seconds: float
    broken: bool = False

    @property
    def report(self) -> str:
        """The verdict in words."""
        word = "FAILED" if self.faults else "ok"
        head = f"{word:<6} {self.drill.name:<32} silence {self.silence:5.2f} s, took {self.seconds:4.1f} s"
        return "\n".join(
            [head, *(f"    {line}" for line in (*self.faults, *(self.log if self.faults else ())))]
        )


async def play_all(
    folder: Path,
    ground: Loopback,
    drills: Sequence[Drill],
    tell: Callable[[Verdict], None] = lambda _: None,
    *,
    rate: float = RATE,
) -> list[Verdict]:
    """Play drills, one after the other, on as few labs as they allow, and return what came of each.

    A lab is left at a drill that leaves no order.  `tell` hears of each at once; their histories are left in `folder`.
    """
    verdicts: list[Verdict] = []
    for number, some in enumerate(share_out(drills)):
        place = folder / f"lab-{number}" if number else folder
        async with run_lab(place, ground, rate, irc=some[0].irc) as lab:
            await mend(lab)
            verdicts += [verdict async for verdict in _play_some(lab, some, tell)]
    return verdicts


def share_out(drills: Sequence[Drill]) -> list[list[Drill]]:
    """Return the drills of each lab: together those that get on with one another."""
    alone = [[drill] for drill in drills if drill.alone]
    rest = [drill for drill in drills if not drill.alone]
    together = [[drill for drill in rest if drill.irc is irc] for irc in (False, True)]
    return [some for some in (*together, *alone) if some]


async def _play_some(
    lab: Lab, drills: Sequence[Drill], tell: Callable[[Verdict], None]
) -> AsyncIterator[Verdict]:
    for drill in drills:
        verdict = await play(lab, drill)
        tell(verdict)
        yield verdict
        if verdict.broken:
            break


async def play(lab: Lab, drill: Drill) -> Verdict:
    """Play a drill on a lab that is in order, and leave it in order."""
    began = read_clock()
    await lab.hear(5)
    since = read_clock()
    trouble, broken = "", False
    try:
        await drill.play(lab)
        await lab.hear(5)
    except (AssertionError, HachatError, OSError) as error:
        trouble = f"the drill broke off: {error}"
    last = lab.last
    try:
        await mend(lab)
    except AssertionError as error:
        trouble, broken = f"{trouble} {error}", not await _start_over(lab)
    # A real chat server plays nothing again: what was not heard is not answered either.
    within = _SOON if drill.irc else _SETTLED
    with suppress(trio.TooSlowError), trio.fail_after(within):
        await until(lambda: not _open(lab, last), within + 1)
    lab.events += [Orphan(at=read_clock(), what=what) for what in await find_orphans(lab)]
    case = await _read(lab, since, last)
    lab.written_off |= _open(lab, last)
    save(case.events, lab.folder / f"{drill.name}.jsonl")
    faults = [*([trouble] if trouble else []), *check(case, drill.bounds)]
    log = [_show(event, since) for event in case.events if event.at >= since and _is_told(event)]
    return Verdict(drill, faults, log, longest_silence(case), read_clock() - began, broken)


async def _start_over(lab: Lab) -> bool:
    """Start every daemon anew, and tell whether the lab is in order now."""
    await lab.kill(*lab.daemons)
    try:
        await mend(lab)
    except AssertionError:
        return False
    return True


def _open(lab: Lab, last: int) -> set[int]:
    """Return what was asked for and is not answered."""
    asked = {e.number for e in lab.events if isinstance(e, Asked)}
    said = {spoken.text for spoken in lab.network.record}
    late = asked - lab.written_off
    return {number for number in late if number <= last and f"{number}.1" not in said}


async def _read(lab: Lab, since: float, last: int) -> Case:
    logs = [daemon.log.read_text(errors="replace") for daemon in lab.daemons.values()]
    lines = [line for log in logs for line in log.splitlines() if line.startswith("{")]
    gone = lab.written_off
    seen = [
        e
        for e in lab.events
        if not isinstance(e, Asked) or (e.number <= last and e.number not in gone)
    ]
    found: list[Any] = [*seen, *_read_terms(lines), *_read_sent(lab)]
    told = Told(at=read_clock(), history=await _read_history(lab), ahead=read_clock() - time.time())
    found.append(told)
    return Case(sorted(found, key=lambda event: event.at), read_logs(lines), since)


async def _read_history(lab: Lab) -> History:
    return await read_history(lab.link, lab.keys)


def _read_terms(lines: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    for entry in map(json.loads, lines):
        node = entry["node"]
        if entry["event"] == "took the lease":
            found.append(Began(at=entry["clock"], node=node, token=entry["term"]))
        elif entry["event"] == "leads no more":
            end, until = entry["clock"], entry["until"]
            found.append(Ended(at=end, node=node, epoch=entry["epoch"], until=until))
    return found


def _read_sent(lab: Lab) -> list[Sent]:
    ahead = read_clock() - time.monotonic()
    return [
        Sent(at=s.at + ahead, node=s.nick, joined=s.joined + ahead, room=s.room, text=s.text)
        for s in lab.network.record
    ]


def _is_told(event: Any) -> bool:
    return type(event).__name__ in {"Began", "Ended", "Died", "Froze", "SteppedDown", "Fault"}


def _show(event: Any, since: float) -> str:
    return f"{event.at - since:7.3f}  {event}"
