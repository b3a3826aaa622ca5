"""By which id a chat service knows what the bot has said there, so that it can be changed later."""

from __future__ import annotations

from hachat.store.keys import Keys
from hachat.store.link import Link

LIFE = 24 * 3600.0
"""Seconds for which it is known."""


class Sent:
    """The ids of a cluster's replies on their services."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    async def note(self, reply: str, event: str) -> None:
        """Note that the service knows `reply` as `event`.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        await self._link.command("SET", self._keys.sent(reply), event, "PX", int(LIFE * 1000))

    async def find(self, reply: str) -> str:
        """Return the service's id of `reply`; empty if it is not known, or not any more.

        Raises:
            StoreError: Redis did not answer.
        """
        found = await self._link.command("GET", self._keys.sent(reply))
        return found.decode() if found else ""
