"""What a service can do is found out by whether its adapter has the method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from hachat.chat.abilities import Finds, Lookups, Rosters, Scopes
from hachat.chat.console import ConsoleAdapter
from hachat.chat.irc.adapter import IrcAdapter
from hachat.core.messages import Reply, User
from tests.chat.stage import Service

ABILITIES = (Finds, Scopes, Rosters, Lookups)


class Able(Service):
    """A service that can do all there is."""

    async def find(self, reply: Reply) -> bool:
        """Look for it."""
        return reply.room == "t/a"

    def scopes(self, reply: Reply) -> Iterable[str]:
        """Name a limit."""
        return [reply.op]

    async def roster(self, channel: str) -> Sequence[User]:
        """Tell who is there."""
        return [User(channel)]

    async def lookup(self, user: str) -> User | None:
        """Tell who it is."""
        return User(user)


@pytest.mark.parametrize(
    ("adapter", "abilities"),
    [
        (Service(), ()),
        (Able(), ABILITIES),
        (object.__new__(IrcAdapter), (Rosters, Lookups)),
        (object.__new__(ConsoleAdapter), ()),
    ],
    ids=["none", "all", "irc", "console"],
)
def test_an_ability_is_a_method(adapter: object, abilities: tuple[type, ...]) -> None:
    """Nothing has to be declared, and an adapter without any is an adapter too."""
    assert tuple(ability for ability in ABILITIES if isinstance(adapter, ability)) == abilities
