"""What handlers remember: for each handler one hash of values, which are JSON.

A value may have an end.  It stands beside the hash, as Redis 7.0 forgets whole keys only: what is over is not read, and
the next change takes it away.  A change is one script; asked again after a lost answer it changes nothing twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Literal

import msgspec

from hachat.core.errors import MemoryFull
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import load

MAX_KEYS = 10_000
"""Keys one handler may have."""

MAX_BYTES = 64 << 20
"""Bytes that all keys and values of one handler may have."""

_PAGE = 100  # keys read by one script

_READ, _KEYS, _CHANGE = map(load, ("memory_read", "memory_keys", "memory_change"))
_READ_ENDS = load("scored_read")


class Change(msgspec.Struct, frozen=True):
    """A change under one key.

    `value` is what is set, or the number that `add` adds; `expected` is what `replace` must find, None for nothing.  `life`
    are seconds until it is forgotten, 0 for never, None to leave that as it is; `until` says when instead, in Unix seconds.
    `id` tells changes apart.
    """

    key: str
    how: Literal["set", "replace", "delete", "add"]
    value: bytes = b""
    life: float | None = None
    expected: bytes | None = None
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))
    until: float | None = None


class Changed(msgspec.Struct, frozen=True):
    """What became of a change: it is `done`, or the value that is there forbids it.

    `value` is what is there now, or for `delete` what was; None for nothing.
    """

    done: bool
    value: bytes | None


class Size(msgspec.Struct, frozen=True):
    """How much a handler remembers."""

    handler: str
    keys: int
    bytes: int


class Memory:
    """What the handlers of a cluster remember."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    async def read(self, handler: str, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values under `keys`, None where there is nothing.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        values: list[bytes | None] = []
        for start in range(0, len(keys), _PAGE):
            page = keys[start : start + _PAGE]
            values += await self._link.script(_READ, self._name(handler), page)
        return values

    async def read_ends(
        self, handler: str, keys: Sequence[str]
    ) -> list[tuple[bytes | None, float]]:
        """Return the values under so few `keys`, and until when each is remembered, Unix seconds, 0 for always.

        What is over comes, too, where no change has taken it away.  Raises as `read` does.
        """
        values, ends = await self._link.script(_READ_ENDS, self._name(handler), keys)
        return [(value, float(end or 0) / 1000) for value, end in zip(values, ends, strict=True)]

    async def list_keys(self, handler: str, prefix: str = "") -> list[str]:
        """Return the keys that begin with `prefix`, sorted; raises as `read` does."""
        found = await self._link.script(_KEYS, self._name(handler), [prefix])
        return sorted(key.decode() for key in found)

    async def change(self, handler: str, change: Change) -> Changed:
        """Do `change`; after a StoreUnavailable, whether it was done is unknown, and it may be asked for again.

        Raises:
            MemoryFull: the handler remembers too much already.
            StoreError: Redis did not answer, or said no.
        """
        life: int | str = -1 if change.life is None else round(change.life * 1000)
        if change.until is not None:
            life = f"@{round(change.until * 1000)}"
        what, value = await self._link.script(
            _CHANGE,
            (*self._name(handler), self._keys.of("memory"), self._keys.of(f"did:{change.id}")),
            (
                *(handler, change.key, change.how, change.value, life),
                *(change.expected or b"", MAX_KEYS, MAX_BYTES),
            ),
        )
        if what in (b"KEYS", b"BYTES"):
            raise MemoryFull(describe_limit(handler, keys=what == b"KEYS"))
        return Changed(what == b"DONE", value)

    async def measure(self) -> list[Size]:
        """Return how much each handler remembers; what is over and not yet taken away counts.

        Raises:
            StoreError: Redis did not answer.
        """
        flat = await self._link.command("HGETALL", self._keys.of("memory"))
        sizes = {name.decode(): int(size) for name, size in zip(flat[::2], flat[1::2], strict=True)}
        return [
            Size(name, await self._link.command("HLEN", self._name(name)[0]), size)
            for name, size in sorted(sizes.items())
        ]

    def _name(self, handler: str) -> tuple[str, str]:
        return self._keys.memory(handler), self._keys.memory(f"{handler}:ends")


def describe_limit(handler: str, *, keys: bool) -> str:
    """Return which limit `handler` has reached, and what to do about it."""
    limit = f"{MAX_KEYS} keys" if keys else f"{MAX_BYTES >> 20} MiB"
    return (
        f"{handler} remembers {limit}, which is the most;"
        " delete what is not needed, or let it expire: `expire=` of ctx.memory"
    )
