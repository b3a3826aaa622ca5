"""What a node lends the handlers that run on it; each has a stand-in that works without a cluster, or says why it cannot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hachat.bot.access import Access
from hachat.bot.http import Http
from hachat.bot.memory import Storage
from hachat.bot.people import People
from hachat.bot.texts import Texts, own_texts
from hachat.bot.throttle import LocalThrottle, Throttle
from hachat.bot.transient import TransientMemory
from hachat.core.errors import NotFound, Unsupported
from hachat.core.messages import Operation, Room, User
from hachat.core.phrases import Phrase
from hachat.core.settings import Unknown
from hachat.tasks.processes import call_here


class Ask(Protocol):
    """Has the master ask a chat service something."""

    async def __call__(
        self, op: Operation, room: str, *, about: str = "", args: dict[str, str] | None = None
    ) -> Sequence[User]:
        """Return who was found, however long that takes; raises CallError if nobody can tell."""
        ...


async def ask_nobody(
    op: Operation,
    room: str,
    *,
    about: str = "",  # noqa: ARG001 - an Ask
    args: dict[str, str] | None = None,  # noqa: ARG001 - an Ask
) -> Sequence[User]:
    """Tell that there is nobody to ask: an `Ask` for a robot without a cluster.

    Raises:
        Unsupported: always.
    """
    raise Unsupported(f"there is no cluster to ask for the {op} of {room}")


FindUser = Callable[[str, str], Awaitable[User]]
"""Finds whom somebody means on an adapter, by id, name, mention or a beginning that only one has.

Raises FindError with a sentence for whoever wrote it, and StoreError.
"""

FindRoom = Callable[[str, str], Awaitable[Room]]
"""Finds which room somebody means on an adapter; as `FindUser` does."""


async def find_no_user(adapter: str, text: str) -> User:  # noqa: ARG001 - a FindUser
    """Find nobody: a `FindUser` for a robot that remembers nobody.

    Raises:
        NotFound: always.
    """
    raise NotFound(Phrase("I know nobody called {name}.", name=text))


async def find_no_room(adapter: str, text: str) -> Room:  # noqa: ARG001 - a FindRoom
    """Find nothing: a `FindRoom` for a robot that remembers no room.

    Raises:
        NotFound: always.
    """
    raise NotFound(Phrase("I know no room called {name}.", name=text))


Compute = Callable[[str, bytes], Awaitable[bytes]]
"""Calls `module:function` with the items of a JSON list, and returns its result as JSON; see `tasks.processes`."""


@dataclass
class Services:
    """Whoever puts a robot into a cluster fills these in, before the first message.

    `ask` is what chat services are asked with, `find_user` and `find_room` find whoever and whatever was met before,
    which `people` knows, `access` tells who may do what, `memory` is what all handlers remember, `http` has the clients for other
    services, `throttle` counts how often routes are run, `compute` calls functions that keep a processor busy, elsewhere if there
    are processes for that; `language` is the bot's; `unknown` says where
    people are told that nobody knows their command.
    """

    ask: Ask = ask_nobody
    find_user: FindUser = find_no_user
    find_room: FindRoom = find_no_room
    people: People = field(default_factory=People)
    access: Access = field(default_factory=Access)
    memory: Storage = field(default_factory=TransientMemory)
    http: Http = field(default_factory=Http)
    language: str = "en"
    unknown: Unknown = "answer"
    throttle: Throttle = field(default_factory=LocalThrottle)
    compute: Compute = call_here

    @property
    def texts(self) -> Texts:
        """What hachat says by itself, in the bot's language."""
        return own_texts(self.language)

    def know(self, people: People) -> None:
        """Let whoever is met be noted in `people`, and found there."""
        self.people, self.find_user, self.find_room = people, people.find_user, people.find_room
