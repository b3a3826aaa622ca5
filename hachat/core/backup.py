"""The records of a backup: one line of JSON each, the first a header and the last the number of those between them.

They say what lives in Redis alone and would be missed: what handlers remember, who is known, who is in which group, where the bot
is to be, and the timers that wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from hachat.core import wire
from hachat.core.access import is_group
from hachat.core.errors import UsageError
from hachat.core.known import Known
from hachat.core.memory import MAX_KEY, MAX_VALUE, is_key
from hachat.core.messages import Job

SCHEMA = 1
"""The newest kind of backup that this release reads."""

MAX_LINE = 4 << 20
"""Bytes of a line; a longer one is none of ours."""

_LATEST = 1e11  # Unix seconds; what is more was meant in other units

Adapter: TypeAlias = Annotated[str, Meta(pattern=r"^[^/\s]+$", max_length=100)]
Address: TypeAlias = Annotated[str, Meta(pattern=r"^[^/\s]+/.", max_length=4000)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=4000)]
Moment: TypeAlias = Annotated[float, Meta(ge=0, le=_LATEST)]
"""Unix seconds."""


class Header(msgspec.Struct, frozen=True, tag_field="kind", tag="hachat backup"):
    """What it is a backup of, made when, by which release."""

    cluster: str
    at: Moment
    version: str
    schema: int = SCHEMA


class Value(msgspec.Struct, frozen=True, tag_field="kind", tag="memory"):
    """What a handler remembers under a key: JSON, until when; 0 for always."""

    handler: Annotated[str, Meta(pattern=r"^[^:\s]+$", max_length=200)]
    key: str
    value: msgspec.Raw
    until: Moment = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError for what no handler can have written."""
        if not is_key(self.key):
            raise ValueError(f"a key has 1 to {MAX_KEY} characters that can be printed")
        if len(bytes(self.value)) > MAX_VALUE:
            raise ValueError(f"a value has {MAX_VALUE} bytes at most")
        bytes(self.value).decode()


class Met(msgspec.Struct, frozen=True, tag_field="kind", tag="met"):
    """One of the users or the rooms (`which`) that were met."""

    which: Literal["users", "rooms"]
    known: Known

    def __post_init__(self) -> None:
        """Raise ValueError for what no service tells."""
        msgspec.convert(self.known.adapter, Adapter)
        msgspec.convert(self.known.id, Id)
        msgspec.convert([self.known.first, self.known.last], list[Moment])


class Member(msgspec.Struct, frozen=True, tag_field="kind", tag="member"):
    """Somebody, `<adapter>/<id>`, who was taken into a group in chat, when and by whom."""

    group: str
    user: Address
    at: Moment
    by: str

    def __post_init__(self) -> None:
        """Raise ValueError for what is no group."""
        if not is_group(self.group):
            raise ValueError("no group can be called that")


class Place(msgspec.Struct, frozen=True, tag_field="kind", tag="room"):
    """A room where the bot is to be, with its key, or, where that is None, not to be."""

    adapter: Adapter
    room: Id
    key: str | None


class Timer(msgspec.Struct, frozen=True, tag_field="kind", tag="timer"):
    """A job that is due at `at`."""

    id: Id
    at: Moment
    job: Job

    def __post_init__(self) -> None:
        """Raise ValueError for what is no job that waits for the first time, or cannot be queued."""
        if not self.job.id or "|" in self.job.id or self.job.attempt:
            raise ValueError("no timer has such a job")
        if self.job.v > wire.VERSION or len(msgspec.json.encode(self.job)) > wire.MAX_ENVELOPE:
            raise ValueError("the job is newer than this release, or too large")


class End(msgspec.Struct, frozen=True, tag_field="kind", tag="end"):
    """How many records there are between the first line and this one."""

    records: int


Record: TypeAlias = Value | Met | Member | Place | Timer

_lines = msgspec.json.Decoder(Header | Value | Met | Member | Place | Timer | End)


def name_kind(record: Record) -> str:
    """Return what a record is one of: `memory`, `met`, `member`, `room`, `timer`."""
    return str(record.__struct_config__.tag)


def write_line(entry: Header | Record | End) -> bytes:
    """Return the line of one entry."""
    # Within JSON a line can end only where a blank may stand as well.
    return msgspec.json.encode(entry).replace(b"\n", b" ") + b"\n"


def read_lines(lines: Iterable[bytes]) -> Iterator[Header | Record]:
    """Yield what the lines of a backup say, the header first.

    Raises:
        UsageError: it is none, is newer than this release, or something of it is missing; says in which line.
    """
    count = -1
    ended = False
    for number, line in enumerate(lines, 1):
        if ended:
            raise UsageError(f"line {number}: the backup has ended before; take one file at a time")
        entry = _read(number, line)
        if isinstance(entry, End):
            _check_end(number, entry, count)
            ended = True
        else:
            count += 1
            yield entry
    if not ended:
        raise UsageError("the end is missing: the file was cut off; take one that is whole")


def _read(number: int, line: bytes) -> Header | Record | End:
    if len(line) > MAX_LINE:
        raise UsageError(f"line {number} is longer than {MAX_LINE} bytes; this is no backup")
    if number == 1:
        _check_schema(line)
    try:
        entry: Header | Record | End = _lines.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"line {number} cannot be read: {error}; take another backup, or mend that line"
        ) from None
    if isinstance(entry, Header) != (number == 1):
        raise UsageError(f"line {number}: a backup begins with one header; this is no backup")
    return entry


class _Schema(msgspec.Struct):
    """What the header of any release has."""

    kind: Literal["hachat backup"]
    schema: int
    version: str


def _check_schema(line: bytes) -> None:
    """Refuse a newer header before the rest of it is read, which may be otherwise than ours."""
    try:
        header = msgspec.json.decode(line, type=_Schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return  # the line is refused with more to say by whoever reads it whole
    if header.schema > SCHEMA:
        raise UsageError(
            f"it was made by hachat {header.version}, whose backups (schema {header.schema}) are newer than"
            f" those that this release reads ({SCHEMA}); restore it with that release"
        )


def _check_end(number: int, end: End, count: int) -> None:
    if end.records != count:
        raise UsageError(
            f"line {number}: {end.records} records were written, {count} are here; take a backup that is whole"
        )
