"""What travels: frozen values that know no robot, no adapter and no store.

A `Message` or a `Webhook` goes in, `Reply` values come out.  Rooms and users are named by the identity the
chat service gives them, never by a display name, because display names change and clash.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Operation = Literal["say", "receipt"]
"""What the master is asked to do: say a text, or tell the sender that a message has been dealt with."""


class User(msgspec.Struct, frozen=True, omit_defaults=True):
    """Someone who talks to the bot; `id` is the service's own and never changes."""

    id: str
    name: str = ""


class Room(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a conversation happens: a channel, or a private one with a single user."""

    adapter: str
    id: str
    name: str = ""
    private: bool = False

    @property
    def address(self) -> str:
        """`<adapter>/<id>`: unique in the cluster, and what a reply is addressed to."""
        return f"{self.adapter}/{self.id}"


class Message(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="message"):
    """Something said in a room.

    `at` is Unix seconds.  `event` is the service's id for it, by which a second delivery is recognised.
    `receipt` asks that the room be told when the message has been dealt with.
    """

    id: str
    room: Room
    user: User
    text: str
    at: float
    event: str = ""
    thread: str = ""
    receipt: bool = False
    v: int = 1

    @property
    def conversation(self) -> str:
        """Messages of one conversation start in the order they came."""
        return self.room.address

    @property
    def source(self) -> str:
        """What a second delivery of the same event has in common with the first."""
        return f"{self.room.adapter}:{self.event or self.id}"


class Webhook(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="webhook"):
    """An accepted HTTP request on its way to a handler.

    `route` names the handler's route (`<handler>.<function>`), `variables` what its path captured, `body` the text
    as it was received.  `event` is the sender's delivery id, by which a second delivery is recognised.
    """

    id: str
    route: str
    method: str
    path: str
    at: float
    body: str = ""
    variables: dict[str, str] = {}
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    event: str = ""
    v: int = 1

    @property
    def conversation(self) -> str:
        """One for each webhook: HTTP promises no order, so none waits for another."""
        return f"hook/{self.id}"

    @property
    def source(self) -> str:
        """What a second delivery of the same event has in common with the first."""
        return f"hook:{self.route}:{self.event or self.id}"


Inbound: TypeAlias = Message | Webhook
"""What the inbound queue carries."""


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something the master is to do in a room.

    `id` is `<message id>/<route>/<n>`: the same for a second run of the same handler, so that nothing is said twice.
    `room` is an address (`Room.address`), `about` the id of the message that caused it.
    """

    id: str
    room: str
    text: str = ""
    op: Operation = "say"
    thread: str = ""
    about: str = ""
    v: int = 1

    @property
    def adapter(self) -> str:
        """The name of the adapter that serves the room."""
        return self.room.partition("/")[0]

    @property
    def channel(self) -> str:
        """The room's id within its chat service."""
        return self.room.partition("/")[2]
