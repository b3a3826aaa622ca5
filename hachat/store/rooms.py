"""In which rooms the bot is to be beside those of the settings, and in which of those it is not."""

from __future__ import annotations

from collections.abc import Mapping

from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import load

_PUT = load("field_put")

_LEFT = "-"
_JOINED = "+"


class Rooms:
    """The rooms that handlers have had the bot join or leave, for each adapter, by their ids."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    async def read(self, adapter: str) -> Mapping[str, str | None]:
        """Return each room with its key, empty if it needs none, or None where the bot has left.

        Raises:
            StoreError: Redis did not answer.
        """
        flat = await self._link.command("HGETALL", self._keys.rooms(adapter))
        texts = [field.decode() for field in flat]
        return {
            room: state.removeprefix(_JOINED) if state != _LEFT else None
            for room, state in zip(texts[::2], texts[1::2], strict=True)
        }

    async def join(self, adapter: str, room: str, key: str = "") -> None:
        """Note that the bot is to be in `room`.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        await self._link.command("HSET", self._keys.rooms(adapter), room, _JOINED + key)

    async def part(self, adapter: str, room: str) -> None:
        """Note that the bot is not to be in `room`.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        await self._link.command("HSET", self._keys.rooms(adapter), room, _LEFT)

    async def put(
        self, adapter: str, room: str, key: str | None, there: Mapping[str, str | None]
    ) -> bool:
        """Have a room be as `read` tells it, if that is as it is `there` now; False if it is not.  It may be done again.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        expected = _write(there[room]) if room in there else ""
        names = (self._keys.rooms(adapter),)
        return bool(
            await self._link.script(_PUT, names, (room, expected, _write(key), 0)) == b"DONE"
        )


def _write(key: str | None) -> str:
    return _LEFT if key is None else _JOINED + key
