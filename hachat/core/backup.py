"""The records of a backup: one line of JSON each, the first a header and the last the number of those between them.

They say what lives in Redis alone and would be missed: what handlers remember, who is known, who is in which group, where the bot
is to be, and the timers that wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

import msgspec

from hachat.core.errors import UsageError
from hachat.core.known import Known
from hachat.core.messages import Job

SCHEMA = 1
"""The newest kind of backup that this release reads."""

MAX_LINE = 4 << 20
"""Bytes of a line; a longer one is none of ours."""


class Header(msgspec.Struct, frozen=True, tag_field="kind", tag="hachat backup"):
    """What it is a backup of, made when, Unix seconds, by which release."""

    cluster: str
    at: float
    version: str
    schema: int = SCHEMA


class Value(msgspec.Struct, frozen=True, tag_field="kind", tag="memory"):
    """What a handler remembers under a key: JSON, until when, Unix seconds; 0 for always."""

    handler: str
    key: str
    value: msgspec.Raw
    until: float = 0.0


class Met(msgspec.Struct, frozen=True, tag_field="kind", tag="met"):
    """One of the users or the rooms (`which`) that were met."""

    which: Literal["users", "rooms"]
    known: Known


class Member(msgspec.Struct, frozen=True, tag_field="kind", tag="member"):
    """Somebody, `<adapter>/<id>`, who was taken into a group in chat, and by whom."""

    group: str
    user: str
    by: str


class Place(msgspec.Struct, frozen=True, tag_field="kind", tag="room"):
    """A room where the bot is to be, with its key, or, where that is None, not to be."""

    adapter: str
    room: str
    key: str | None


class Timer(msgspec.Struct, frozen=True, tag_field="kind", tag="timer"):
    """A job that is due at `at`, Unix seconds."""

    id: str
    at: float
    job: Job


class End(msgspec.Struct, frozen=True, tag_field="kind", tag="end"):
    """How many records there are between the first line and this one."""

    records: int


Record: TypeAlias = Value | Met | Member | Place | Timer

_lines = msgspec.json.Decoder(Header | Value | Met | Member | Place | Timer | End)


def write_lines(header: Header, records: Iterable[Record]) -> Iterator[bytes]:
    """Yield the lines of a backup."""
    yield msgspec.json.encode(header) + b"\n"
    count = 0
    for record in records:
        count += 1
        yield msgspec.json.encode(record) + b"\n"
    yield msgspec.json.encode(End(count)) + b"\n"


def read_lines(lines: Iterable[bytes]) -> Iterator[Header | Record]:
    """Yield what the lines of a backup say, the header first.

    Raises:
        UsageError: it is none, is newer than this release, or something of it is missing; says in which line.
    """
    count = -1
    for number, line in enumerate(lines, 1):
        entry = _read(number, line)
        if isinstance(entry, Header) != (number == 1):
            raise UsageError(f"line {number}: a backup begins with one header; this is no backup")
        if isinstance(entry, Header) and entry.schema > SCHEMA:
            raise UsageError(
                f"it was made by hachat {entry.version}, whose backups (schema {entry.schema}) are newer than"
                f" those that this release reads ({SCHEMA}); restore it with that release"
            )
        if isinstance(entry, End):
            if entry.records != count:
                raise UsageError(
                    f"line {number}: {entry.records} records were written, {count} are here"
                )
            return
        count += 1
        yield entry
    raise UsageError("the end is missing: the file was cut off; nothing of it is used")


def _read(number: int, line: bytes) -> Header | Record | End:
    if len(line) > MAX_LINE:
        raise UsageError(f"line {number} is longer than {MAX_LINE} bytes; this is no backup")
    try:
        entry: Header | Record | End = _lines.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"line {number} cannot be read: {error}") from None
    return entry
