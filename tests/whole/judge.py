"""What should have been said, what was said, and what is wrong between the two; all of it values."""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from tests.whole.network import Spoken

APOLOGY = 0
"""The turn of the reply by which the bot says that a handler failed."""


class Key(NamedTuple):
    """One reply: the number of what was asked for, and which of its replies it is."""

    number: int
    turn: int


@dataclass(frozen=True)
class Ask:
    """Something asked for: `times` replies in a room after `seconds`, by a line there or by a webhook.

    A line that `fails` makes its handler raise when it is run the first time.
    """

    number: int
    room: str
    times: int = 1
    seconds: float = 0.0
    fails: bool = False
    hook: bool = False


@dataclass(frozen=True)
class Promise:
    """What hachat promises beyond answering: see docs/guarantees.md.

    A line holds up those behind it for `patience` seconds at most, so only answers that come sooner are in order; it was
    frozen with its node, perhaps, so what counts is what the logs say.
    With `retries`, what failed is run again, later and out of order.
    """

    patience: float = math.inf
    retries: bool = False

    def expects(self, ask: Ask) -> set[Key]:
        """Return the replies that must come."""
        said = {Key(ask.number, turn) for turn in range(1, ask.times + 1)}
        if not ask.fails:
            return said
        return {Key(ask.number, APOLOGY)} | (said if self.retries else set())

    def orders(self, ask: Ask, key: Key) -> bool:
        """Tell whether a reply stands in its room's order, if its handler was not slow."""
        return not ask.hook and not (ask.fails and key.turn != APOLOGY)


@dataclass(frozen=True)
class Told:
    """What the nodes' logs tell.

    `numbers` are those of messages, by id; `seconds` how long each took on the node where it took longest; `doubts` how
    often each reply was sent although it may have been sent before; `given_up` those with which too many nodes died.
    """

    numbers: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[int, float] = field(default_factory=dict)
    doubts: Mapping[Key, int] = field(default_factory=dict)
    given_up: Collection[int] = ()


@dataclass(frozen=True)
class Judgement:
    """What is wrong, by replies; `doubted` were doubled after a doubt was logged, which is allowed once for each room and term.

    `excessive` are rooms with more of these than terms that ended, `strange` are texts that nothing asked for.
    """

    asked: int = 0
    heard: int = 0
    lost: Sequence[Key] = ()
    doubled: Sequence[Key] = ()
    disordered: Sequence[tuple[Key, Key]] = ()
    doubted: Sequence[Key] = ()
    excessive: Sequence[str] = ()
    strange: Sequence[str] = ()

    @property
    def fine(self) -> bool:
        """Whether all that is promised was kept."""
        return not (self.lost or self.doubled or self.disordered or self.excessive or self.strange)


def judge(
    asks: Collection[Ask],
    record: Sequence[Spoken],
    told: Told,
    promise: Promise,
    *,
    terms: int = 1,
) -> Judgement:
    """Compare what was asked for with what was said; `terms` is how many masters there have been."""
    asked = {ask.number: ask for ask in asks}
    heard, strange = _read(record, told)
    counts = Counter(key for _, key in heard)
    expected = {key for ask in asks for key in promise.expects(ask)}
    extra = {key: count - 1 for key, count in counts.items() if count > 1}
    doubted = [key for key, count in extra.items() if count <= told.doubts.get(key, 0)]
    rooms = Counter(asked[key.number].room for key in doubted)
    return Judgement(
        asked=len(asked),
        heard=len(heard),
        lost=sorted(key for key in expected - counts.keys() if key.number not in told.given_up),
        doubled=sorted(extra.keys() - set(doubted)),
        disordered=list(_find_disorder(heard, asked, promise, told)),
        doubted=doubted,
        excessive=[room for room, count in rooms.items() if count >= max(terms, 1)],
        strange=[*strange, *(f"{key.number}.{key.turn}" for key in counts.keys() - expected)],
    )


def read_logs(lines: Iterable[str]) -> Told:
    """Return what log lines of all nodes tell."""
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    numbers = {
        entry["message"]: entry["number"] for entry in entries if entry["event"] == "counting"
    }
    doubts: Counter[Key] = Counter()
    seconds: dict[int, float] = {}
    for entry in entries:
        if entry["event"] == "counted":
            seconds[entry["number"]] = max(seconds.get(entry["number"], 0.0), entry["seconds"])
        if entry["event"] == "in doubt whether a reply was sent":
            message, route, turn = entry["reply"].rsplit("/", 2)
            if message in numbers:
                doubts[Key(numbers[message], APOLOGY if route == "robot" else int(turn))] += 1
    return Told(numbers, seconds, doubts)


def find_number(letter: str) -> int | None:
    """Return the number of what was asked for in a dead letter of a message that took too many nodes along."""
    found = re.search(r'(?:count |number\\*":)(\d+)', letter)
    return int(found[1]) if found and "nodes died while handling it" in letter else None


def _read(record: Iterable[Spoken], told: Told) -> tuple[list[tuple[str, Key]], list[str]]:
    """Return the room and the key of each reply, and what is none."""
    heard: list[tuple[str, Key]] = []
    strange: list[str] = []
    for spoken in record:
        if key := _read_key(spoken.text, told.numbers):
            heard.append((spoken.room, key))
        else:
            strange.append(spoken.text)
    return heard, strange


def _read_key(text: str, numbers: Mapping[str, int]) -> Key | None:
    if found := re.fullmatch(r"(\d+)\.(\d+)", text):
        return Key(int(found[1]), int(found[2]))
    found = re.fullmatch(r"Sorry, .*\(id (\w+)\)\..*", text)
    return Key(numbers[found[1]], APOLOGY) if found and found[1] in numbers else None


def _find_disorder(
    heard: Iterable[tuple[str, Key]], asked: Mapping[int, Ask], promise: Promise, told: Told
) -> Iterator[tuple[Key, Key]]:
    """Yield replies that came after one they should have come before; a repetition has no place of its own."""
    rows: dict[str, list[Key]] = defaultdict(list)
    for room, key in dict.fromkeys(heard):
        ask = asked.get(key.number)
        in_time = told.seconds.get(key.number, 0.0) < promise.patience
        if ask is not None and in_time and promise.orders(ask, key):
            rows[room].append(key)
        elif ask is not None and key.turn != APOLOGY:
            rows[f"{room} {key.number}"].append(
                key
            )  # replies to one message are in order all the same
    for row in rows.values():
        yield from ((first, late) for first, late in pairwise(row) if first > late)
