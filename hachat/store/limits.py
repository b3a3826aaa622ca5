"""What is full, or soon will be, in sentences for people: what happens then, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from hachat.core.phrases import Phrase, gettext_noop
from hachat.core.settings import QueueSettings
from hachat.store.letter import Letter

NEARLY = 0.8
"""Share of a limit from which on there is a warning."""

LATELY = 60.0
"""Seconds for which it is told that something was full."""

OUTBOX_FULL = gettext_noop("the outbox of the room is full")
"""Reason of the dead letters of replies that found no room; the scripts write it."""

_REFUSED = {
    "chat": Phrase("nothing more is heard until some are handled"),
    "work": Phrase("webhooks are answered 503 until some are handled"),
}

_SLOW = Phrase("see what its handlers wait for, or raise queue.mailbox")

_REMEDY = Phrase("`hachat queue` shows where they wait; start more nodes, or raise queue.depth")


_FULL = re.compile(" (?:is full:|was full|has [0-9]+ replies,|had no room) ?")


def name_full(sentence: str) -> str:
    """Return what a sentence of this module says to be full, or to have been."""
    return _FULL.split(sentence, maxsplit=1)[0]


def find_full_lanes(waiting: Mapping[str, int], limits: QueueSettings) -> Iterator[str]:
    """Yield a sentence for each lane that refuses more."""
    for lane, count in waiting.items():
        if count >= limits.depth:
            yield Phrase(
                "lane {lane} is full: {count} messages wait, and {effect}; {remedy}",
                lane=lane,
                count=count,
                effect=_REFUSED[lane],
                remedy=_REMEDY,
            )


def warn_of_lanes(waiting: Mapping[str, int], limits: QueueSettings) -> Iterator[str]:
    """Yield a sentence for each lane that will soon refuse more."""
    for lane, count in waiting.items():
        if NEARLY * limits.depth <= count < limits.depth:
            yield Phrase(
                "lane {lane} is nearly full: {count} messages wait, and at {limit} {effect}; {remedy}",
                lane=lane,
                count=count,
                limit=limits.depth,
                effect=_REFUSED[lane],
                remedy=_REMEDY,
            )


def find_refusals(
    refused: Mapping[str, bytes], now: float, waiting: Mapping[str, int], limits: QueueSettings
) -> Iterator[str]:
    """Yield a sentence for each thing that has lately `refused` a message, unless it is a lane that is full now."""
    for field, noted in sorted(refused.items()):
        at, _, name = noted.decode("utf-8", "backslashreplace").partition("|")
        age = max(0.0, now - int(at) / 1000)
        if age >= LATELY or waiting.get(name, 0) >= limits.depth:
            continue
        if field.startswith("lane:"):
            yield Phrase(
                "lane {lane} was full {age:.0f} s ago: {effect}; {remedy}",
                lane=name,
                age=age,
                effect=_REFUSED[name],
                remedy=_REMEDY,
            )
        else:
            yield Phrase(
                "{place} was full {age:.0f} s ago, messages of it were refused; {remedy}",
                place=name,
                age=age,
                remedy=_SLOW,
            )


def tell_full_mailbox(conversation: str, count: int) -> str:
    """Return that a mailbox refuses more."""
    return f"{conversation} is full: {count} messages wait, more are refused; {_SLOW}"


def tell_full_outbox(room: str, count: int) -> str:
    """Return that an outbox takes no more replies."""
    return f"{room} has {count} replies, no more are kept: further ones become dead letters; `hachat dead retry` sends them later"


def find_full_outbox(newest: Iterable[Letter], now: float) -> Iterator[str]:
    """Yield a sentence for each of the `newest` dead letters that is a reply which lately found its outbox full."""
    for letter in newest:
        age = max(0.0, now - letter.at)
        if letter.reason == OUTBOX_FULL and age < LATELY:
            yield Phrase(
                "{place} had no room for more replies {age:.0f} s ago: they become dead letters;"
                " `hachat queue` tells what the room waits for, `hachat dead retry` sends them later",
                place=letter.origin,
                age=age,
            )


def warn_of_dead(count: int, limit: int) -> Iterator[str]:
    """Yield a sentence if dead letters are near or beyond their limit."""
    if count >= limit:
        yield Phrase(
            "{count} dead letters, {limit} are kept: the oldest are cut; see `hachat dead list`",
            count=count,
            limit=limit,
        )
    elif count >= NEARLY * limit:
        yield Phrase(
            "{count} dead letters, and beyond {limit} the oldest are cut; see `hachat dead list`",
            count=count,
            limit=limit,
        )
