"""What waits where: lanes, mailboxes, rooms, and what is full, read from Redis in one script.

However much waits, the script looks at `LOOK` boxes of a kind and tells of `TELL`.  Where there are more, the longest
and the oldest are those among the boxes looked at, which are the ones whose turn comes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from hachat.core.ids import LENGTH
from hachat.core.settings import QueueSettings
from hachat.store.keys import GROUP, LANES, Keys
from hachat.store.limits import (
    find_full_lanes,
    tell_full_mailbox,
    tell_full_outbox,
    warn_of_dead,
    warn_of_lanes,
)
from hachat.store.link import Link
from hachat.store.scripts import load
from hachat.store.status import read_age, read_pairs

_QUEUE = load("queue")

LOOK = 500
"""Boxes of a kind that are looked at; Redis serves nobody else meanwhile."""

TELL = 10
"""Boxes of a kind that are told of."""


class Box(msgspec.Struct, frozen=True):
    """A mailbox or an outbox; `oldest` is the age of its head in seconds, None where that is not known."""

    name: str
    length: int
    oldest: float | None


class LaneQueue(msgspec.Struct, frozen=True):
    """A lane: `in_hand` says how many conversations each node holds, `looked_at` at how many mailboxes was looked."""

    waiting: int
    oldest: float | None
    mailboxes: int
    looked_at: int
    in_hand: Mapping[str, int]
    longest: Sequence[Box]


class DeferredRoom(msgspec.Struct, frozen=True):
    """A room that may not send before `until`, Unix seconds; `why` is empty where nobody noted it."""

    room: str
    until: float
    why: str
    replies: int


class OutboundQueue(msgspec.Struct, frozen=True):
    """What waits to be sent; `deferred` holds the first of the `deferred_rooms`."""

    replies: int
    oldest: float | None
    rooms: int
    looked_at: int
    sending: int
    in_doubt: int
    deferred_rooms: int
    deferred: Sequence[DeferredRoom]
    longest: Sequence[Box]


class Queues(msgspec.Struct, frozen=True):
    """All queues at the moment `at`, Unix seconds by Redis's clock; `dead_cut` counts dead letters that were cut."""

    at: float
    lanes: Mapping[str, LaneQueue]
    outbound: OutboundQueue
    dead_letters: int
    dead_cut: int


async def read_queues(link: Link, keys: Keys) -> Queues:
    """Return what waits.

    Raises:
        StoreError: Redis cannot be asked.
    """
    names = ("counters", "outready", "intent", "deferred", "dead", "detached")
    now, counters, dead, *lanes, rooms = await link.script(
        _QUEUE,
        [*map(keys.of, names), *map(keys.ready, LANES)],
        (GROUP, keys.mailbox(""), keys.outbox(""), LOOK, TELL, LENGTH),
    )
    at = now / 1000
    count = {name: int(value) for name, value in read_pairs(counters).items()}
    return Queues(
        at=at,
        lanes={
            lane: _read_lane(at, count.get(f"waiting:{lane}", 0), answer)
            for lane, answer in zip(LANES, lanes, strict=True)
        },
        outbound=_read_rooms(at, count.get("outgoing", 0), rooms),
        dead_letters=dead,
        dead_cut=count.get("dead_cut", 0),
    )


def find_full(queues: Queues, limits: QueueSettings) -> list[str]:
    """Return a sentence for each thing that is full and refuses more, or soon will."""
    waiting = {name: lane.waiting for name, lane in queues.lanes.items()}
    return [
        *find_full_lanes(waiting, limits),
        *_find_full_mailboxes(queues, limits),
        *(
            tell_full_outbox(box.name, box.length)
            for box in queues.outbound.longest
            if box.length >= limits.outbox
        ),
        *warn_of_lanes(waiting, limits),
        *warn_of_dead(queues.dead_letters, limits.dead),
    ]


def _find_full_mailboxes(queues: Queues, limits: QueueSettings) -> Iterator[str]:
    for name, lane in queues.lanes.items():
        most = limits.mailbox if name == "chat" else limits.depth
        for box in lane.longest:
            if box.length >= most:
                yield tell_full_mailbox(box.name, box.length)


def _read_lane(at: float, waiting: int, answer: Sequence[Any]) -> LaneQueue:
    mailboxes, consumers, looked_at, oldest, longest = answer
    in_hand: dict[str, int] = {}
    for consumer, tokens in zip(consumers[::2], consumers[1::2], strict=True):
        node = _text(consumer).rpartition(":")[0] or _text(consumer)
        in_hand[node] = in_hand.get(node, 0) + int(tokens)
    boxes = list(_read_boxes(at, longest))
    return LaneQueue(waiting, read_age(at, oldest), mailboxes, looked_at, in_hand, boxes)


def _read_rooms(at: float, replies: int, answer: Sequence[Any]) -> OutboundQueue:
    rooms, looked_at, oldest, longest, sending, in_doubt, deferred_rooms, deferred = answer
    return OutboundQueue(
        replies=replies,
        oldest=read_age(at, oldest),
        rooms=rooms,
        looked_at=looked_at,
        sending=sending,
        in_doubt=in_doubt,
        deferred_rooms=deferred_rooms,
        deferred=list(_read_deferred(deferred)),
        longest=list(_read_boxes(at, longest)),
    )


def _read_boxes(at: float, fields: Sequence[Any]) -> Iterator[Box]:
    for name, length, head in zip(*(fields[n::3] for n in range(3)), strict=True):
        yield Box(_text(name), length, read_age(at, head))


def _read_deferred(fields: Sequence[Any]) -> Iterator[DeferredRoom]:
    for room, score, note, replies in zip(*(fields[n::4] for n in range(4)), strict=True):
        until = float(score)
        noted, _, why = _text(note).partition("|")
        # A note of an earlier deferral says nothing of this one.
        yield DeferredRoom(
            _text(room), until / 1000, why if noted == f"{until:.0f}" else "", replies
        )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
