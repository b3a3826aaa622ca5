"""Counts how often something is done in the whole cluster."""

from __future__ import annotations

from hachat.core.rates import Rate, Turn
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import load

_RATE = load("rate")


class Rates:
    """The counts of one cluster; Redis's clock decides."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    async def take(self, name: str, rate: Rate) -> Turn:
        """Count a run of what is called `name`, if it may be run now.

        Raises:
            StoreError: Redis did not answer; a question that is repeated may count twice.
        """
        wait, first = await self._link.script(
            _RATE,
            (self._keys.of(f"rate:{name}"),),
            (round(rate.seconds * 1_000_000), rate.runs),
        )
        return Turn(wait / 1_000_000, bool(first))
