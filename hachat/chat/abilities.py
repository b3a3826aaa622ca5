"""What an adapter may be able to do beyond hearing and sending; each is found out by whether it has the method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import trio

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


@runtime_checkable
class Styles(Protocol):
    """Shows emphasis, code and links; other services are sent the plain words."""

    @property
    def style(self) -> Mapping[str, tuple[str, str]]:
        """What to write around spans of markdown; see `hachat.chat.markup`."""
        ...


@runtime_checkable
class Mentions(Protocol):
    """Has a form of its own in which somebody is called."""

    def mention(self, user: User) -> str:
        """Return what a text begins with that calls `user`."""
        ...


@runtime_checkable
class Acts(Protocol):
    """Can tell what the bot does, as `/me` does."""

    async def act(self, reply: Reply) -> str | None:
        """Tell `reply.text`; returns and raises as `send` does."""
        ...


@runtime_checkable
class Reacts(Protocol):
    """Can add a reaction to a message."""

    async def react(self, reply: Reply) -> None:
        """Add `reply.args["name"]` to `args["event"]`, a message of others, or `args["target"]`, one of the bot; raises as `send` does."""
        ...


@runtime_checkable
class Edits(Protocol):
    """Can change what the bot has said."""

    async def edit(self, reply: Reply) -> None:
        """Let what `send` returned as `reply.args["target"]`, or the reply of that id, read `reply.text`; raises as `send` does."""
        ...


@runtime_checkable
class Deletes(Protocol):
    """Can take back what the bot has said."""

    async def delete(self, reply: Reply) -> None:
        """Take back what `send` returned as `reply.args["target"]`, or the reply of that id; raises as `send` does."""
        ...


@runtime_checkable
class Topics(Protocol):
    """Can set the topic of a room."""

    async def topic(self, reply: Reply) -> None:
        """Set it to `reply.text`; raises as `send` does."""
        ...


@runtime_checkable
class Joins(Protocol):
    """Can come into rooms and leave them."""

    def expect(self, rooms: Mapping[str, str | None]) -> None:
        """Take note, before each `serve`, of what has been joined, with the keys, and where the bot has left, as None.

        It comes on top of what the settings say, and has precedence.
        """
        ...

    async def join(self, reply: Reply) -> str:
        """Come into the room, with the key `reply.args["key"]` if there is one, and stay; return its id; raises as `send` does."""
        ...

    async def part(self, reply: Reply) -> str:
        """Leave the room, and stay out of it; return its id; raises as `send` does."""
        ...


@runtime_checkable
class Uploads(Protocol):
    """Can show a file."""

    async def upload(self, reply: Reply) -> str | None:
        """Show the file `reply.args["name"]` with `reply.text`; returns and raises as `send` does.

        `hachat.chat.operations.read_file` returns its content.
        """
        ...


@runtime_checkable
class Warms(Protocol):
    """Can connect before its node is master, because the service lets two connections live (`Facts.overlap`)."""

    @property
    def name(self) -> str:
        """The adapter part of the addresses of its rooms."""
        ...

    async def warm(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect, log in, call `started()`, and keep the connection, unseen and unheard, until `serve` takes it.

        Then it returns, and the next `serve` goes on with that connection.  When cancelled it leaves politely.

        Raises:
            OSError: the connection could not be made, or has ended.
            HachatError: the same, for a reason of our own.
        """
        ...
