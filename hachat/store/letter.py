"""A dead letter as a value: what it holds, and which ones a query means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

from hachat.core import wire
from hachat.core.errors import UsageError, WireError
from hachat.core.messages import Inbound, Reply
from hachat.core.phrases import Phrase

_LAST = 1 << 64

Kind = Literal["message", "reply"]
"""What was given up: something on its way in, or on its way out."""


class Letter(msgspec.Struct, frozen=True):
    """A dead letter as it is stored, `entry` is its id; a field that nobody wrote is empty.

    `at` is Unix seconds, by Redis's clock.  `origin` is the conversation of a message or the room of a reply.
    """

    entry: str
    at: float
    kind: str
    origin: str
    reason: str
    data: bytes

    @property
    def id(self) -> str:
        """The id of the message or the reply; empty if none can be read."""
        mark, bar, _ = self.data.partition(b"|")
        return mark.decode("utf-8", "replace") if bar else ""

    def open(self) -> Inbound | Reply:
        """Return what was given up.

        Raises:
            WireError: it cannot be read.
        """
        _, bar, envelope = self.data.partition(b"|")
        if not bar:
            raise WireError("no id stands in front of the envelope")
        if self.kind == "message":
            return wire.decode_inbound(envelope)
        if self.kind == "reply":
            return wire.decode_reply(envelope)
        raise WireError(f"its kind is {self.kind!r}, neither message nor reply")

    def describe(self) -> dict[str, Any]:
        """Return the letter as plain data: with its `envelope`, or the `fault` that it has and its `data` as text."""
        plain: dict[str, Any] = {
            "id": self.entry,
            "at": self.at,
            "kind": self.kind,
            "origin": self.origin,
            "reason": self.reason,
            "about": self.id,
        }
        try:
            return plain | {"envelope": msgspec.to_builtins(self.open())}
        except WireError as error:
            return plain | {
                "fault": str(error),
                "data": self.data.decode("utf-8", "backslashreplace"),
            }


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters are meant; what is left out excludes none.

    `room` is a glob for the origin, `why` is part of the reason in any case, `since` is how many seconds old a letter
    may be, `about` the id of a message, whose replies are then meant too.
    """

    kind: Kind | None = None
    room: str = ""
    why: str = ""
    since: float | None = None
    about: str = ""
    oldest_first: bool = False

    def matches(self, letter: Letter) -> bool:
        """Tell whether `letter` is meant, its age aside."""
        return (
            self.kind in {None, letter.kind}
            and (not self.room or fnmatchcase(letter.origin, self.room))
            and self.why.lower() in letter.reason.lower()
            and (not self.about or is_about(letter.id, self.about))
        )


class Page(msgspec.Struct, frozen=True):
    """Letters that were found; `next` is the entry behind which to go on, empty when there are no more."""

    letters: Sequence[Letter]
    next: str


def is_about(id_: str, message: str) -> bool:
    """Tell whether `id_` is that of `message`, or of one of its replies."""
    return id_ == message or id_.startswith(f"{message}/")


def check_entry(entry: str) -> str:
    """Return `entry`, if it can be the id of a letter.

    Raises:
        UsageError: it cannot.
    """
    if re.fullmatch("[0-9]{1,20}-[0-9]{1,20}", entry) and max(split_entry(entry)) < _LAST:
        return entry
    raise UsageError(
        Phrase(
            "{entry!r} is not the id of a dead letter, such as {example}",
            entry=entry,
            example="1795497344998-0",
        )
    )


def split_entry(entry: str) -> tuple[int, int]:
    """Return the two numbers of an entry's id: its milliseconds, and which one of these it is."""
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number or "0")


def read_time(entry: bytes) -> float:
    """Return the Unix seconds at which a stream got an entry."""
    return split_entry(entry.decode())[0] / 1000


def read_fields(fields: Sequence[bytes]) -> dict[str, str]:
    """Return the fields of an entry by name; what is no text in them is written as escapes."""
    text = [field.decode("utf-8", "backslashreplace") for field in fields]
    return dict(zip(text[::2], text[1::2], strict=True))


def read_letter(entry: bytes, fields: Sequence[bytes]) -> Letter:
    """Return an entry of the stream `dead` as a letter."""
    data = dict(zip(fields[::2], fields[1::2], strict=True)).get(b"data", b"")
    text = read_fields(fields)
    kind, origin, reason = (text.get(name, "") for name in ("kind", "origin", "reason"))
    return Letter(entry.decode(), read_time(entry), kind, origin, reason, data)
