"""Users and rooms the bot has met, by their ids and by the beginnings of their names.

Each kind has a hash of what is known, a sorted set of names for `ZRANGEBYLEX`, and one of when each was last seen, from
which the oldest are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from hachat.core.known import Known, fold
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import load

MOST = 100_000
"""Users, and rooms, that are kept."""

_NOTE, _READ = load("met_note"), load("scored_read")

Kind = Literal["users", "rooms"]

KINDS: tuple[Kind, ...] = ("users", "rooms")


class _Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands in the hash behind the time when one was first met."""

    name: str
    index: list[str]
    private: bool = False


_records = msgspec.json.Decoder(_Record)


class Directory:
    """The users or the rooms of a cluster."""

    def __init__(self, link: Link, keys: Keys, kind: Kind) -> None:
        self._link = link
        self._met = keys.of(f"met:{kind}")
        self._names = keys.of(f"met:{kind}:names")
        self._seen = keys.of(f"met:{kind}:seen")

    async def note(self, met: Sequence[Known]) -> None:
        """Note that all of `met` were seen when they were `last`; it may be noted again.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        arguments: list[str | bytes | int] = [MOST]
        for one in met:
            arguments += (one.address, round(one.last * 1000), msgspec.json.encode(_record(one)))
        await self._link.script(_NOTE, (self._met, self._names, self._seen), arguments)

    async def get(self, adapter: str, id_: str) -> Known | None:
        """Return who, or what, has that id; None if that was never met.

        Raises:
            StoreError: Redis did not answer.
        """
        return (await self.find([f"{adapter}/{id_}"]))[0]

    async def search(self, adapter: str, beginning: str, most: int) -> list[Known]:
        """Return at most `most` whose names begin like that, sorted by them: one that is called just that comes first.

        Raises:
            StoreError: Redis did not answer.
        """
        start = f"{adapter}\0{fold(beginning)}".encode()
        # Of a channel with and without its sign both are found.
        members = await self._link.command(
            *("ZRANGEBYLEX", self._names, b"[" + start, b"(" + start + b"\xff"),
            *("LIMIT", 0, 2 * most),
        )
        ids = dict.fromkeys(member.decode().rpartition("\0")[2] for member in members)
        known = await self.find([f"{adapter}/{id_}" for id_ in list(ids)[:most]])
        return [one for one in known if one is not None]

    async def list_addresses(self) -> list[str]:
        """Return `<adapter>/<id>` of all that are known, sorted.

        Raises:
            StoreError: Redis did not answer.
        """
        found: set[str] = set()
        cursor = b"0"
        while True:
            cursor, flat = await self._link.command("ZSCAN", self._seen, cursor, "COUNT", 1000)
            found.update(address.decode() for address in flat[::2])
            if cursor == b"0":
                return sorted(found)

    async def find(self, addresses: Sequence[str]) -> list[Known | None]:
        """Return who, or what, has each of so few `addresses`; None where that was never met.

        Raises:
            StoreError: Redis did not answer.
        """
        if not addresses:
            return []
        records, seen = await self._link.script(_READ, (self._met, self._seen), addresses)
        return [
            _known(address, record, float(last or 0)) if record is not None else None
            for address, record, last in zip(addresses, records, seen, strict=True)
        ]


def _record(known: Known) -> _Record:
    index = [f"{known.adapter}\0{name}\0{known.id}" for name in known.names]
    return _Record(known.name, [] if known.private else index, known.private)


def _known(address: str, data: bytes, last: float) -> Known:
    first, _, rest = data.partition(b"|")
    adapter, _, id_ = address.partition("/")
    record = _records.decode(rest)
    return Known(adapter, id_, record.name, record.private, int(first) / 1000, last / 1000)
