"""The states of chat connections, as the cluster sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import trio
import trio.testing

from hachat.chat.adapter import Connection
from hachat.core.errors import StoreUnavailable
from hachat.daemon.chat_states import ChatStates
from hachat.store.members import Member, Members


class FakeMembers:
    """Remembers what was told; the first telling meets a Redis that is away."""

    def __init__(self) -> None:
        self.me = Member("n1", "b1", 1, "http://x", "0", 1.0, 3.0, 10.0)
        self.told: list[dict[str, str]] = []
        self.away = True

    async def tell(self, me: Member) -> None:
        """Take it, or be away."""
        await trio.lowlevel.checkpoint()
        if self.away:
            self.away = False
            raise StoreUnavailable("away")
        self.me = me
        self.told.append(me.chat)


@dataclass
class FakeConnection:
    """A connection in a state."""

    adapter: Any
    state: str


@dataclass
class FakeAdapter:
    """An adapter with a name."""

    name: str


async def test_changes_are_told_once_and_nothing_is_shown_after_the_term(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Each new state is written, though Redis be away at first, and none is left when the term ends."""
    members = FakeMembers()
    states = ChatStates(cast("Members", members))
    irc = FakeConnection(FakeAdapter("irc"), "connecting")

    async with trio.open_nursery() as nursery:
        await nursery.start(states.run)
        async with trio.open_nursery() as term:
            term.start_soon(states.show, [cast("Connection", irc)])
            await trio.sleep(1)
            irc.state = "connected"
            states.changed()
            states.changed()
            await trio.sleep(1)
            term.cancel_scope.cancel()
        await trio.sleep(1)
        nursery.cancel_scope.cancel()

    assert members.told == [{"irc": "connecting"}, {"irc": "connected"}, {}]
