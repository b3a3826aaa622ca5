"""The audit trail: who did what that not everybody may, on any node, by chat, HTTP or command line.

Each entry of the stream has at least `did` and `by`.  About five thousand are kept; the master writes them into its log.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from hachat.store.keys import Keys
from hachat.store.letter import read_fields, read_time
from hachat.store.link import Link
from hachat.store.scripts import load

PAGE = 100
"""Entries that are read at once for the log."""

MOST = 5_000
"""Entries that are kept, about."""

_NOTE = load("audit_note")
LONGEST = 500
"""Characters of a fact that are kept."""


class Deed(msgspec.Struct, frozen=True):
    """What somebody did, when (Unix seconds), and the facts: `did`, `by` and more."""

    entry: str
    at: float
    facts: Mapping[str, str]


class Audit:
    """The audit trail of a cluster."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    async def note(self, did: str, by: str, **facts: str) -> None:
        """Note that `by` did something; facts that are empty are left out, and long ones cut.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        fields = {"did": did, "by": by} | {name: fact for name, fact in facts.items() if fact}
        flat = [text[:LONGEST] for field in fields.items() for text in field]
        names = (self._keys.of("audit"), self._keys.of(f"did:{secrets.token_hex(8)}"))
        await self._link.script(_NOTE, names, flat)

    async def read(self, count: int) -> list[Deed]:
        """Return the last `count` deeds, the newest first.

        Raises:
            StoreError: Redis did not answer.
        """
        return await self._read("XREVRANGE", "+", "-", count)

    async def read_new(self) -> list[Deed]:
        """Return deeds that are not in a log yet, oldest first, `PAGE` at most.  Raises as `read` does."""
        logged = await self._link.command("GET", self._keys.of("audited"))
        return await self._read("XRANGE", f"({logged.decode()}" if logged else "-", "+", PAGE)

    async def mark_logged(self, deed: Deed) -> None:
        """Note that everything is in a log up to `deed`.  Raises as `read` does."""
        await self._link.command("SET", self._keys.of("audited"), deed.entry)

    async def _read(self, command: str, begin: str, end: str, count: int) -> list[Deed]:
        ask = partial(self._link.command, command, self._keys.of("audit"), begin, end)
        entries: Sequence[tuple[bytes, Sequence[bytes]]] = await ask("COUNT", count)
        return [
            Deed(entry.decode(), read_time(entry), _drop_empty(read_fields(fields)))
            for entry, fields in entries
        ]


def _drop_empty(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: fact for name, fact in facts.items() if fact}
