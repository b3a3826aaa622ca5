"""The oracle finds what is wrong in a doctored history, and nothing in an honest one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hachat.store.history import History, Returned
from hachat.store.history import Term as Kept
from tests.whole.drills.events import (
    Any,
    Asked,
    Barred,
    Began,
    Died,
    Ended,
    Fault,
    Looked,
    Orphan,
    Sampled,
    Sent,
    SteppedDown,
    Told,
    restore,
    save,
)
from tests.whole.drills.oracle import Bounds, Case, check
from tests.whole.judge import Key
from tests.whole.judge import Told as Logged

A, B = "node-1/a/0.10", "node-2/b/0.20"

AHEAD = -1000.0

BOUNDS = Bounds(silence=3.0, terms=2)


def kept(token: str, began: float, end: Returned | None) -> Kept:
    """Return a term as the history has it, by Redis's clock."""
    node, _, number = token.split("/")
    gap = None if end else 1.0
    epoch = int(number.split(".")[1])
    return Kept(epoch, node, token, began, end, None, gap, gap)


def told(*terms: Kept) -> Told:
    """Return what `hachat history` tells in the end, the newest first."""
    return Told(at=9.0, history=History(B, list(terms[::-1]), 0), ahead=AHEAD)


HISTORY = (kept(A, 1001.0, Returned(1004.0, "step-down", "drill")), kept(B, 1005.0, None))

HONEST: tuple[Any, ...] = (
    Fault(at=0.5, what="step down"),
    Began(at=1.0, node="node-1", token=A),
    Sampled(at=1.2, asked=1.1, node="node-1", code=200),
    Looked(at=1.3, node="node-3", epoch=10),
    Asked(at=1.5, number=1, room="#a"),
    Asked(at=1.6, number=2, room="#a"),
    Sent(at=2.0, node="node-1", joined=1.1, room="#a", text="1.1"),
    Sampled(at=3.2, asked=3.1, node="node-1", code=200),
    Sampled(at=3.3, asked=3.25, node="node-1", code=200),
    Ended(at=4.0, node="node-1", epoch=10, until=4.5),
    Sampled(at=4.2, asked=4.1, node="node-1", code=503),
    Began(at=5.0, node="node-2", token=B),
    SteppedDown(at=5.1, to="node-2", old=A),
    Sampled(at=5.3, asked=5.2, node="node-2", code=200),
    Looked(at=5.4, node="node-3", epoch=20),
    Sent(at=5.0, node="node-2", joined=5.05, room="#a", text="2.1"),
    Sent(at=7.0, node="node-2", joined=5.05, room="#a", text="3.1"),
    Asked(at=6.9, number=3, room="#a"),
    told(*HISTORY),
)


def judge(events: list[Any], bounds: Bounds = BOUNDS, logged: Logged | None = None) -> set[str]:
    """Return the invariants that do not hold."""
    case = Case(events, logged or Logged())
    return {fault.split()[0] for fault in check(case, bounds)}


def replaced(kind: type[Any], index: int, **changes: object) -> list[Any]:
    """Return the honest history with one event of a kind changed."""
    events = list(HONEST)
    places = [place for place, event in enumerate(events) if isinstance(event, kind)]
    events[places[index]] = msgspec.structs.replace(events[places[index]], **changes)
    return events


def test_an_honest_history_is_fine() -> None:
    """Where everything holds, nothing is found."""
    assert not judge(list(HONEST))


def sent(at: float, node: str, joined: float, text: str) -> Sent:
    """Return a reply in the one room."""
    return Sent(at=at, node=node, joined=joined, room="#a", text=text)


OTHER = kept("node-1/a/0.30", 1008.0, None)

DOCTORED: dict[str, tuple[str, list[Any]]] = {
    "I1 two act at once": ("I1", replaced(Ended, 0, at=5.5, until=5.5)),
    "I1 a killed one acts on": (
        "I1",
        [*(e for e in HONEST if not isinstance(e, Ended)), Died(at=5.5, node="node-1")],
    ),
    "I1 a deposed one sends": ("I1", replaced(Sent, 1, node="node-1", joined=1.1)),
    "I1 one without a term sends": ("I1", replaced(Sent, 1, node="node-3")),
    "I2 a token falls": ("I2", replaced(Began, 1, token="node-2/b/0.9")),
    "I2 an epoch comes again": ("I2", replaced(Began, 1, token="node-2/b/0.10")),
    "I3 an old token sends again": (
        "I3",
        [
            *(e for e in HONEST if not isinstance(e, Ended)),
            Ended(at=8.0, node="node-1", epoch=10, until=8.0),
            sent(7.5, "node-1", 1.1, "4.1"),
            Asked(at=6.9, number=4, room="#a"),
        ],
    ),
    "I4 a line is lost": ("I4", [*HONEST, Asked(at=6.0, number=9, room="#b")]),
    "I4 nobody asked": ("I4", [*HONEST, sent(7.2, "node-2", 5.05, "what?")]),
    "I5 a line is doubled": ("I5", [*HONEST, sent(7.2, "node-2", 5.05, "3.1")]),
    "I6 order is lost": (
        "I6",
        [*HONEST, sent(6.95, "node-2", 5.05, "4.1"), Asked(at=6, number=4, room="#a")],
    ),
    "I7 nothing is sent for too long": ("I7", replaced(Sent, 2, at=8.5)),
    "I8 the next term is another's": ("I8", replaced(SteppedDown, 0, to="node-3")),
    "I9 another takes over in a pause": (
        "I9",
        [*HONEST, Barred(at=4.5, until=6.0, nodes=["node-2"], invariant="I9")],
    ),
    "I10 one that may not leads": (
        "I10",
        [*HONEST, Barred(at=0.0, until=9.0, nodes=["node-1"], invariant="I10")],
    ),
    "I14 a dead one holds something": ("I14", [*HONEST, Orphan(at=8.0, what="a conversation")]),
    "I11 two say that they are master": (
        "I11",
        [*HONEST, Sampled(at=3.24, asked=3.22, node="node-2", code=200)],
    ),
    "I12 an epoch falls": ("I12", replaced(Looked, 1, epoch=9)),
    "I15 a term is missing": ("I15", [*HONEST[:-1], told(HISTORY[1])]),
    "I15 an end before its beginning": (
        "I15",
        [*HONEST[:-1], told(kept(A, 1001.0, Returned(1000.0, "crash", "")), HISTORY[1])],
    ),
    "I15 times do not add up": (
        "I15",
        [*HONEST[:-1], told(kept(A, 1001.0, Returned(1002.0, "crash", "")), HISTORY[1])],
    ),
    "I15 a beginning that is another's": (
        "I15",
        [*HONEST[:-1], told(HISTORY[0], kept(B, 1006.0, None))],
    ),
    "I16 an end without a cause": (
        "I16",
        [*HONEST[:-1], told(kept(A, 1001.0, Returned(1004.0, "", "")), HISTORY[1])],
    ),
    "terms are miscounted": (
        "terms",
        [
            *HONEST[:-1],
            Began(at=8, node="node-1", token="node-1/a/0.30"),
            Ended(at=7.9, node="node-2", epoch=20, until=None),
            told(*HISTORY, OTHER),
        ],
    ),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_a_doctored_history_is_found_out(name: str) -> None:
    """Each way to break an invariant is found under its name."""
    invariant, events = DOCTORED[name]
    assert invariant in judge(sorted(events, key=lambda event: event.at))


def test_a_double_that_was_told_is_forgiven() -> None:
    """A reply that is said again in doubt, and told to be, is no fault."""
    doubled = [*HONEST, sent(7.2, "node-2", 5.05, "3.1")]
    assert not judge(doubled, logged=Logged(doubts={Key(3, 1): 1}))


def test_a_line_that_is_two_messages_is_found_out() -> None:
    """What was said once and is known by two ids was queued twice."""
    assert "I13" in judge(list(HONEST), logged=Logged(numbers={"m1": 3, "m2": 3}))
    assert not judge(list(HONEST), logged=Logged(numbers={"m1": 2, "m2": 3}))


def test_what_a_pause_lets_slip_is_counted() -> None:
    """As many late sends as the drill allows are forgiven, and one more is not."""
    late = replaced(Sent, 0, at=4.7)
    assert "I1" not in judge(late, Bounds(silence=9.0, late=1))
    assert "I1" in judge(late, Bounds(silence=9.0))


def test_what_a_drill_forgives_is_forgiven() -> None:
    """An invariant that cannot hold in a drill is not asked for."""
    lost = [*HONEST, Asked(at=6.0, number=9, room="#b")]
    assert not judge(lost, Bounds(silence=3.0, forgives=("I4",)))


def test_a_history_can_be_written_down_and_read(tmp_path: Path) -> None:
    """Every kind of event survives as a line of JSON, in the order of time."""
    save(HONEST, tmp_path / "history.jsonl")
    assert restore(tmp_path / "history.jsonl") == sorted(HONEST, key=lambda event: event.at)
