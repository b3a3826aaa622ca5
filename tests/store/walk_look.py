"""What must hold of both queues after every step of a walk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hachat.store.keys import LANES
from tests.store.queue_model import CONVERSATIONS
from tests.store.walk_outbound import Walk


def look(walk: Walk) -> None:
    """Compare the server with the model.

    Raises:
        AssertionError: something was lost, doubled, out of order, miscounted, or can never be taken.
    """
    names = list(CONVERSATIONS)  # outboxes beside rooms stay empty
    keys = walk.keys
    boxes = [
        *(keys.mailbox(name) for name in names),
        *(keys.outbox(name) for name in names),
    ]
    lists = walk.link.all([("LRANGE", walk.locate(key), 0, -1) for key in boxes])
    mailboxes = dict(zip(names, map(_ids, lists), strict=False))
    outboxes = dict(zip(names, map(_ids, lists[len(names) :]), strict=True))
    for name in names:
        assert mailboxes[name] == walk.lists.mailboxes[name], f"the mailbox of {name}"
        assert outboxes[name] == walk.lists.outboxes[name], f"the outbox of {name}"
    _look_at_tokens(walk)
    _look_at_numbers(walk)
    _look_at_rooms(walk)


def _look_at_tokens(walk: Walk) -> None:
    """A conversation stands in ready once while something waits, and else not at all; whoever holds it can be missed."""
    asides, *streams = walk.link.all(
        [("HGETALL", walk.keys.of("detached"))]
        + [("XRANGE", walk.keys.ready(lane), "-", "+") for lane in LANES]
    )
    detached = {entry.rpartition(" ")[2]: name for entry, name in _pairs(asides)}
    named = {entry.decode(): fields[1].decode() for some in streams for entry, fields in some}
    tokens = Counter(detached.get(entry, name) for entry, name in named.items())
    waiting = {name for name, box in walk.lists.mailboxes.items() if box}
    assert tokens == Counter(waiting), f"tokens of {dict(tokens)}"
    assert detached == walk.inbound.asides, "tokens that stand for others"
    assert walk.read_owners() == walk.inbound.owners, "owners"
    known, _ = walk.link.all([("ZRANGE", walk.keys.of("nodes"), 0, -1), ("PING",)])
    assert set(walk.inbound.owners.values()) <= {name.decode() for name in known}, (
        "nobody misses it"
    )


def _look_at_numbers(walk: Walk) -> None:
    """Counters are the lengths, deaths are those of messages that wait, and what was given up is kept."""
    counters, deaths, dead, jobs, jobdata, said = walk.link.all(
        [
            ("HGETALL", walk.keys.of("counters")),
            ("HGETALL", walk.keys.of("deaths")),
            ("XRANGE", walk.keys.of("dead"), "-", "+"),
            ("ZRANGE", walk.keys.of("jobs"), 0, -1),
            ("HKEYS", walk.keys.of("jobdata")),
            ("HGETALL", walk.keys.of("said")),
        ]
    )
    counted = {name: int(count) for name, count in _pairs(counters)}
    lists = walk.lists
    expected = {f"waiting:{lane}": lists.waiting(lane) for lane in LANES}
    assert {name: counted.get(name, 0) for name in expected} == expected, "messages that wait"
    assert counted.get("outgoing", 0) == lists.outgoing, "replies that wait"
    assert {name: int(count) for name, count in _pairs(deaths)} == walk.inbound.deaths, "deaths"
    letters = [dict(_pairs(fields))["data"].partition("|")[0] for _, fields in dead]
    assert Counter(letters) == Counter(lists.dead), "dead letters"
    assert {job.decode() for job in jobs} == {job.decode() for job in jobdata} == lists.jobs
    remembered = {name: set(ids.split()) for name, ids in _pairs(said)}
    assert remembered == lists.early, "what was said early"


def _look_at_rooms(walk: Walk) -> None:
    """A room has its time while something waits there, and else neither that nor a note."""
    ready, notes = walk.link.all(
        [("ZRANGE", walk.keys.of("outready"), 0, -1), ("HGETALL", walk.keys.of("intent"))]
    )
    waiting = {name for name, box in walk.lists.outboxes.items() if box}
    assert {room.decode() for room in ready} == waiting, "rooms that have their time"
    assert waiting == walk.outbound.due | walk.outbound.deferred
    assert dict(_pairs(notes)) == walk.outbound.notes, "notes"


def _ids(items: Sequence[bytes]) -> list[str]:
    return [item.partition(b"|")[0].decode() for item in items]


def _pairs(fields: Sequence[Any]) -> list[tuple[str, str]]:
    return [
        (name.decode(), value.decode())
        for name, value in zip(fields[::2], fields[1::2], strict=True)
    ]
