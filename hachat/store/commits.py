"""What is said about single messages of the inbound queue: by a worker to Redis, and by Redis to a worker."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TypeAlias

import msgspec

from hachat.core import wire
from hachat.core.errors import QueueFull, StoreError, WireError
from hachat.core.messages import Inbound as Value
from hachat.core.messages import Reply
from hachat.store.dialogs import Closing, Question, write_question
from hachat.store.keys import Lane

MOST_JOBS = 10_000
"""Jobs that may wait in a cluster."""


class Token(msgspec.Struct, frozen=True):
    """The right to handle a conversation, held until it is given back."""

    lane: Lane
    entry: str
    conversation: str


class Head(msgspec.Struct, frozen=True):
    """A waiting message as it is stored; with `asked`, questions were open when it was read, and it may be an answer."""

    id: str
    data: bytes
    asked: bool = False


class Later(msgspec.Struct, frozen=True):
    """Something to be queued in `delay` seconds, as the job `id`; another under the same id takes its place.

    Without a value it takes back what waits under that id.
    """

    id: str
    delay: float
    lane: Lane
    value: Value | None = None


class Commit(msgspec.Struct, frozen=True):
    """What became of a conversation's head: its replies, or why it is given up; without a head, a first look.

    With `give_way`, other conversations and nodes come first when more is waiting in this one.  Whatever is to be done `later`
    is scheduled in the same step.  Where it is to be tried `again`, its replies are remembered, and not queued by another
    attempt either.  `letter` is kept as the dead letter where not all of the head is given up.  What it `opens` can be answered
    from then on.  If what it `closes` is not open any more, nothing is done, and the head is to be handled anew.
    """

    token: Token
    head: Head | None = None
    replies: Sequence[Reply] = ()
    give_way: bool = False
    give_up: str = ""
    later: Sequence[Later] = ()
    again: bool = False
    letter: Value | None = None
    opens: Sequence[Question] = ()
    closes: Closing | None = None


class Held(Enum):
    """Where a message stands of whose progress Redis was told; see `progress.lua`."""

    HELD = b"HELD"
    QUEUED = b"QUEUED"
    DONE = b"DONE"
    LOST = b"LOST"


class Progress(msgspec.Struct, frozen=True):
    """What became of a message's progress, and what was `said` before: ids of replies, and routes begun."""

    held: Held
    said: frozenset[str] = frozenset()


class Verdict(Enum):
    """What became of a commit; see `inbound_turn.lua`."""

    MORE = b"MORE"
    DONE = b"DONE"
    GONE = b"GONE"
    LOST = b"LOST"


VERDICTS = {verdict.value: verdict for verdict in Verdict}
"""Verdicts by what Redis calls them."""

Queued: TypeAlias = bool | QueueFull | WireError | StoreError
"""What became of a message that was to be queued: queued now, queued before, or why it could not be."""

Committed: TypeAlias = tuple[Verdict, Head | None]
"""What became of a commit, and the head that waits now if the token is still held."""


Taken: TypeAlias = tuple[Token, Head | None]
"""A conversation that was taken, and its head; None if that is yet to be looked at."""


def read_head(item: bytes, *, asked: bool = False) -> Head | None:
    """Return the message that stands in a list as `item`; None for nothing."""
    name, _, data = item.partition(b"|")
    return Head(name.decode("utf-8", "replace"), data, asked) if item else None


def mark(value: Value | Reply) -> bytes:
    """Return `value` as it stands in a list: scripts tell by the id in front whether it is the one they mean."""
    return value.id.encode() + b"|" + wire.encode(value)


def pack_job(lane: Lane, value: Value) -> bytes:
    """Return what the key `jobdata` holds of something that is to be queued later."""
    conversation = value.conversation.encode()
    return b"%s|%d|%s%s" % (lane.encode(), len(conversation), conversation, mark(value))


def unpack_job(data: bytes) -> tuple[str, str, Value | None]:
    """Return the lane, the conversation and the value that `pack_job` has packed; None for a value nobody can read."""
    lane, _, rest = data.partition(b"|")
    length, _, rest = rest.partition(b"|")
    size = int(length) if length.isdigit() else 0
    conversation, (_, _, envelope) = rest[:size], rest[size:].partition(b"|")
    texts = lane.decode("utf-8", "replace"), conversation.decode("utf-8", "replace")
    try:
        return *texts, wire.decode_inbound(envelope)
    except WireError:
        return *texts, None


def write_commit(commit: Commit, arguments: list[str | bytes | int]) -> None:
    """Append to `arguments` what `inbound_turn.lua` is told of `commit`."""
    head, replies = commit.head, commit.replies
    flags = ("w" if commit.give_way else "") + ("a" if commit.again else "")
    if commit.give_up:
        flags += "d"
    if commit.closes:
        flags += "c"
    arguments += (
        commit.token.entry,
        commit.token.conversation,
        head.id if head else "",
        f"{len(replies)} {len(commit.later)} {flags} {len(commit.opens)}",
    )
    if commit.give_up:
        arguments += (commit.give_up, mark(commit.letter) if commit.letter else "")
    if closes := commit.closes:
        item = mark(closes.message) if closes.message else ""
        arguments += (closes.question.place, closes.question.id, item)
    for reply in replies:
        arguments += (reply.room, mark(reply))
    for later in commit.later:
        data = b"" if later.value is None else pack_job(later.lane, later.value)
        arguments += (later.id, int(later.delay * 1000), data)
    for question in commit.opens:
        arguments += (question.place, write_question(question))
