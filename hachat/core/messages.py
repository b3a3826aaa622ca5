"""What travels: frozen values that know no robot, no adapter and no store.

A `Message` or a `Webhook` goes in, `Reply` values come out.  Rooms and users are named by the identity the
chat service gives them, never by a display name, because display names change and clash.
"""

from __future__ import annotations

from typing import Literal, TypeAlias
from zlib import crc32

import msgspec

LINES = 32
"""Conversations into which the webhooks of one route are spread."""

Order = Literal["room", "thread", "user", "none"]
"""What a message waits for: others of its room, of its thread, of its user in that room, or nothing."""

Operation = Literal[
    "say",
    "receipt",
    "roster",
    "lookup",
    "act",
    "react",
    "edit",
    "delete",
    "topic",
    "join",
    "part",
    "upload",
]
"""What the master is asked to do: say a text, tell the sender that a message has been dealt with, or one of these.

`act` says what the bot does; `react` adds the emoji `args["name"]` to the message whose id on the service is `args["event"]`, or
to the reply `args["target"]`; `edit` and `delete` change the reply `args["target"]`, and an `edit` with `args["passing"]` is not
worth a new line; `topic` sets a room's; `join` goes into it, with `args["key"]` if it needs one, and `part` out
of it; `upload` shows the file `args["name"]`, whose content is `args["data"]` in Base64.

Two are *calls*, which want an answer: `roster` asks who is in the room, `lookup` who the user `args["user"]` is.
"""


class User(msgspec.Struct, frozen=True, omit_defaults=True):
    """Someone who talks to the bot; `id` is the service's own and never changes.

    `bot` tells that it is a program, as far as the service knows.
    """

    id: str
    name: str = ""
    bot: bool = False


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


class Response(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody answered to a question of the bot; `at` is Unix seconds."""

    text: str
    user: User
    at: float


class Dialog(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a route has got with a message about which it asks something.

    The ids of its replies begin with `stem`; so many of them were `said` before, and are not said again.  `responses` are
    the answers so far, `cause` is the id of the message that was the last.  `done` holds, as JSON, the results of what is to be done once however often the route is run.
    """

    stem: str
    said: int
    responses: tuple[Response, ...] = ()
    cause: str = ""
    done: dict[str, str] = {}


class Message(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="message"):
    """Something said in a room.

    `at` is Unix seconds.  `event` is the service's id for it, by which a second delivery is recognised.
    `receipt` asks that the room be told when the message has been dealt with.  `key` names the conversation where that
    is not the room.  Of the routes that failed `attempt` times only those in `only` are to be run; none means all.
    `retried` is the entry of the dead letter as which it was put back, if it was.  With a `dialog` it has been answered: the
    route in `only` is run again for it, and its id is that of the question.  `me` is the bot's own id on the service, as far as
    the adapter knows it.  `by` is the address of whoever said it in the name of `user`, where that is somebody else.
    """

    id: str
    room: Room
    user: User
    text: str
    at: float
    event: str = ""
    thread: str = ""
    receipt: bool = False
    key: str = ""
    attempt: int = 0
    only: tuple[str, ...] = ()
    retried: str = ""
    dialog: Dialog | None = None
    me: str = ""
    by: str = ""
    v: int = 1

    @property
    def asked_at(self) -> float:
        """When somebody last asked for it, Unix seconds: as it was said, or as the bot was answered."""
        return self.dialog.responses[-1].at if self.dialog and self.dialog.responses else self.at

    @property
    def conversation(self) -> str:
        """Messages of one conversation start in the order they came."""
        return self.key or self.room.address

    @property
    def source(self) -> str:
        """What a second delivery of the same event has in common with the first."""
        return f"{self.room.adapter}:{self.event or self.id}"


def choose_key(message: Message, order: Order) -> str:
    """Return the conversation of `message` where `order` is kept, or nothing if that is its room."""
    room = message.room.address
    if order == "none":
        return f"{room}#{message.id}"
    if order == "user":
        return f"{room}@{message.user.id}"
    return f"{room}/{message.thread}" if order == "thread" and message.thread else ""


class Webhook(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="webhook"):
    """An accepted HTTP request on its way to a handler.

    `route` names the handler's route (`<handler>.<function>`), `variables` what its path captured, `body` the text
    as it was received.  `event` is the sender's delivery id, by which a second delivery is recognised, `retried` as in
    a `Message`.
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
    attempt: int = 0
    retried: str = ""
    v: int = 1

    @property
    def conversation(self) -> str:
        """One of a few for each route: HTTP promises no order, but a flood on one route must not hold up the others."""
        return f"hook/{self.route}/{crc32(self.id.encode()) % LINES}"

    @property
    def source(self) -> str:
        """What a second delivery of the same event has in common with the first."""
        return f"hook:{self.route}:{self.event or self.id}"


class Job(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="job"):
    """Something that has become due, on its way to a handler.

    `route` names the handler's route, `at` is the Unix time for which it was meant, `data` what it was given, as JSON.
    `id` is the job's own; of a schedule, `<schedule>@<Unix milliseconds of the slot>`.  `retried` is as in a `Message`.
    """

    id: str
    route: str
    at: float
    data: str = ""
    attempt: int = 0
    retried: str = ""
    v: int = msgspec.field(default_factory=lambda: 2)  # unlike a plain default, it is written

    @property
    def conversation(self) -> str:
        """Jobs of one route wait for one another."""
        return f"job/{self.route}"

    @property
    def source(self) -> str:
        """What a second delivery of the same job has in common with the first."""
        return f"job:{self.id}"


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="event"):
    """Something that happened and was not said, on its way to whoever wants to know: somebody joined, a topic changed.

    `name` is what happened (`joined`), `adapter` the chat service where it did, empty for what did not happen on one.  `room`
    and `user` are where and by whom, as far as there is such; `data` is the rest.  What a handler publishes has a `body` instead,
    which is JSON.  `at` is Unix seconds.  `event` is the service's id for it, by which a second delivery is recognised; `only`
    and `retried` are as in a `Message`.
    """

    id: str
    name: str
    at: float
    adapter: str = ""
    room: Room | None = None
    user: User | None = None
    data: dict[str, str] = {}
    body: str = ""
    event: str = ""
    attempt: int = 0
    only: tuple[str, ...] = ()
    retried: str = ""
    v: int = msgspec.field(default_factory=lambda: 3)

    @property
    def conversation(self) -> str:
        """What happens in one room waits for one another, but no message waits for it."""
        return f"event/{self.room.address if self.room else self.adapter or self.name}"

    @property
    def source(self) -> str:
        """What a second delivery of the same event has in common with the first."""
        return f"event:{self.adapter}:{self.event or self.id}"


Heard: TypeAlias = Message | Event
"""What a chat service tells."""

Inbound: TypeAlias = Message | Webhook | Job | Event
"""What the inbound queue carries."""


def name_replies(inbound: Inbound, stem: str = "") -> str:
    """Return what the ids of replies to `inbound` begin with, instead of its own id with `stem`.

    A dead letter that is retried is a new beginning: what it said before may still wait, and is told apart by its id.
    """
    stem = stem or inbound.id
    return f"{stem}/{inbound.retried}" if inbound.retried else stem


def find_cause(inbound: Inbound) -> str:
    """Return the id of the message that had `inbound` handled: of the last answer, where it was asked about."""
    dialog = inbound.dialog if isinstance(inbound, Message) else None
    return dialog.cause if dialog else inbound.id


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something the master is to do in a room.

    `id` is `<message id>/<route>/<n>`: the same for a second run of the same handler, so that nothing is said twice.
    After a dead letter was retried it is `<message id>/<entry of the letter>/<route>/<n>`.
    `room` is an address (`Room.address`, or `<adapter>/@<user id>` for someone alone), `about` the id of the message that caused it (`find_cause`), and `origin` the address of the
    room that is told if it can never be delivered.  `answer` is the consumer that waits for the answer to a call, `args`
    what the operation is about.  What is said may have in `args` whom it is meant for: `mention`, the id, and `name`.
    """

    id: str
    room: str
    text: str = ""
    op: Operation = "say"
    thread: str = ""
    about: str = ""
    origin: str = ""
    args: dict[str, str] = {}
    answer: str = ""
    v: int = 1

    @property
    def adapter(self) -> str:
        """The name of the adapter that serves the room."""
        return self.room.partition("/")[0]

    @property
    def channel(self) -> str:
        """The room's id within its chat service."""
        return self.room.partition("/")[2]

    @property
    def recipient(self) -> str:
        """The id of the user whom alone it is for, if it is addressed to one instead of a room."""
        return self.channel[1:] if self.channel.startswith("@") else ""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a call, for the consumer `to`.

    `id` is the call's.  `users` are those that were found; where `error` says why nobody knows, there are none, and
    `supported` is whether it is worth asking again.
    """

    id: str
    to: str
    users: tuple[User, ...] = ()
    error: str = ""
    supported: bool = True
    v: int = 1
