"""Records of backups, and how they are read and written."""

from __future__ import annotations

import msgspec

from hachat.core.backup import Member, Met, Place, Record, Timer, Value, write_line
from hachat.core.known import Known
from hachat.core.messages import Job
from hachat.store.backup import Archive
from hachat.store.keys import Keys
from hachat.store.link import Link

SOON = 5_000_000_000.125
"""A moment that is still to come, Unix seconds."""

RECORDS: list[Record] = [
    Value("karma", "ada", msgspec.Raw(b"12")),
    Value("todo", "list", msgspec.Raw(b'["a"]'), SOON),
    Met("users", Known("irc", "ada", "Ada", first=1000.0, last=2000.0)),
    Met("rooms", Known("irc", "#ops", "#ops", first=1000.0, last=1000.0)),
    Member("ops", "irc/ada", 1000.0, "irc/bob"),
    Place("irc", "#den", "key"),
    Place("irc", "#noise", None),
    Timer("reminders/tea", SOON, Job("J1", "reminders.ring", SOON, '"tea"')),
]
"""At least one of each kind, in the order of a backup."""


def archive(link: Link, keys: Keys) -> Archive:
    """Return the archive of a cluster."""
    return Archive(link, keys, ["irc", "console"])


async def read(link: Link, keys: Keys) -> bytes:
    """Return all lines of the backup of a cluster but the first and the last."""
    return b"".join([write_line(record) async for record in archive(link, keys).read()])
