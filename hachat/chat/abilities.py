"""What an adapter may be able to do beyond hearing and sending; each is found out by whether it has the method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from hachat.core.messages import Reply, User


@runtime_checkable
class Finds(Protocol):
    """Can search what stands in a room; asked only where `Facts.can_search_history` says so."""

    async def find(self, reply: Reply) -> bool:
        """Return whether `reply` stands in its room already.

        Raises:
            NotSent: it cannot be told now; ask again after the given time.
        """
        ...


@runtime_checkable
class Scopes(Protocol):
    """Says which limits of the service a reply falls under; without it, one of the name of its `op`."""

    def scopes(self, reply: Reply) -> Iterable[str]:
        """Return the names that a `NotSent` about such a reply may have as its scope, beside `room` and `adapter`."""
        ...


@runtime_checkable
class Rosters(Protocol):
    """Can tell who is in a room."""

    async def roster(self, channel: str) -> Sequence[User]:
        """Return who is in the room whose id is `channel`, without the bot itself.

        Raises:
            NotSent: it cannot be asked now; ask again after the given time.
            Undeliverable: there is no such room, or the bot may not know.
        """
        ...


@runtime_checkable
class Lookups(Protocol):
    """Can tell who somebody is."""

    async def lookup(self, user: str) -> User | None:
        """Return whose id is `user`; None where there is nobody.

        Raises:
            NotSent: it cannot be asked now; ask again after the given time.
            Undeliverable: the bot may not know.
        """
        ...
