r"""What became of a message: its way through the queues, and where it is now.

Whatever moves messages notes it in the stream `trail`: one entry for each turn, whatever the number of messages.  A
field is what happened (`in`, `taken`, `reply`, `aside`, `finished`, `sent`, `doubt`, `dead`, `retried`, `dropped`), its value has
a line for each message or reply it happened to: `<id>`, or `<id>\t<note>`.  The note is the conversation or the room
where something waits from then on, or a reason.  Three fields tell something of the whole entry: `lane`, `node` and `by`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

import msgspec

from hachat.core.errors import StoreRefused
from hachat.core.settings import QueueSettings
from hachat.store.dead import DeadLetters
from hachat.store.keys import Keys
from hachat.store.letter import Letter, Query, is_about, read_fields, read_time
from hachat.store.link import Link
from hachat.store.scripts import load

_TRAIL, _POSITION = map(load, ("trail", "position"))

PAGE = 100
"""Entries of the trail that are looked at in one script; Redis serves nobody else meanwhile."""

PAGES = 200
"""Parts of the trail that are looked at; it is kept shorter than that."""

DEPTH = 1_000
"""Messages of a mailbox, or replies of an outbox, among which one is looked for."""

LETTERS = 20
"""Dead letters of one message that are shown."""

_ABOUT_ALL = {"lane", "node", "by"}
_QUEUED = {"in", "reply", "aside", "retried"}


class Step(msgspec.Struct, frozen=True):
    """Something that happened to a message or one of its replies at the time `at`, Unix seconds by Redis's clock.

    `by` is the node or the person who did it, or the lane into which it came.
    """

    at: float
    what: str
    id: str
    note: str = ""
    by: str = ""


class Place(msgspec.Struct, frozen=True):
    """Where something waits: `position` 1 is the head of `length`."""

    kind: str
    name: str
    position: int
    length: int


class Trace(msgspec.Struct, frozen=True):
    """All that is known of a message; `kept_since` is how far back the trail was looked through, None without one."""

    id: str
    steps: Sequence[Step]
    waiting: Sequence[Place]
    letters: Sequence[Letter]
    kept_since: float | None


async def trace(link: Link, keys: Keys, id_: str) -> Trace:
    """Return what is known of a message, by its id, or of one reply by its own.

    Raises:
        StoreError: Redis cannot be asked.
    """
    steps, kept_since = await _read_steps(link, keys, id_)
    dead = DeadLetters(link, keys, QueueSettings())
    page = await dead.find(Query(about=id_, oldest_first=True), LETTERS)
    waiting = [place async for place in _find_places(link, keys, id_, steps, page.letters)]
    return Trace(id_, steps, waiting, page.letters, kept_since)


async def _read_steps(link: Link, keys: Keys, id_: str) -> tuple[list[Step], float | None]:
    steps: list[Step] = []
    begin, kept_since = "+", None
    for _ in range(PAGES):
        count, last, *entries = await link.script(_TRAIL, (keys.of("trail"),), (id_, begin, PAGE))
        for entry, fields in entries:
            steps += reversed(list(_read_entry(entry, fields, id_)))
        if last:
            kept_since, begin = read_time(last), f"({last.decode()}"
        if count < PAGE:
            break
    return steps[::-1], kept_since


def _read_entry(entry: bytes, fields: Sequence[bytes], id_: str) -> Iterator[Step]:
    values = read_fields(fields)
    by = next((values[name] for name in ("by", "node", "lane") if name in values), "")
    for what, lines in values.items():
        if what not in _ABOUT_ALL:
            for line in lines.split("\n"):
                name, _, note = line.partition("\t")
                if is_about(name, id_):
                    yield Step(read_time(entry), what, name, note, by)


async def _find_places(
    link: Link, keys: Keys, id_: str, steps: Iterable[Step], letters: Iterable[Letter]
) -> AsyncIterator[Place]:
    names = [step.note for step in steps if step.what in _QUEUED and step.note]
    names += [letter.origin for letter in letters if letter.origin]
    for name in dict.fromkeys(names):
        for kind, key in (("mailbox", keys.mailbox(name)), ("outbox", keys.outbox(name))):
            try:
                position, length = await link.script(_POSITION, (key,), (id_, DEPTH))
            except StoreRefused:
                continue  # what stands there is no list
            if position:
                yield Place(kind, name, position, length)
