"""What is done in rooms beside saying something, and what becomes of it where a service cannot."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Protocol

import structlog
import trio
from msgspec.structs import replace

from hachat.chat.abilities import (
    Acts,
    Deletes,
    Edits,
    Joins,
    Mentions,
    Reacts,
    Styles,
    Topics,
    Uploads,
)
from hachat.chat.adapter import Adapter
from hachat.chat.markup import PLAIN, render
from hachat.core.errors import NotSent, StoreError, Undeliverable
from hachat.core.messages import Operation, Reply, User
from hachat.core.phrases import Phrase, Say, gettext_noop, say_english

log = structlog.get_logger(__name__)

NOTING = 0.5
"""Seconds in which it must be noted how a service names what was sent, so that a send is not in doubt for that."""

REPEATABLE: frozenset[Operation] = frozenset({"edit", "delete", "react", "topic", "join", "part"})
"""What may be done a second time when nobody knows of the first."""

_ABILITIES: Mapping[Operation, type] = {
    "act": Acts,
    "react": Reacts,
    "edit": Edits,
    "delete": Deletes,
    "topic": Topics,
    "join": Joins,
    "part": Joins,
    "upload": Uploads,
}

_FAILED: Mapping[Operation, str] = {
    "react": gettext_noop("A reaction could not be added in {room} ({reason})"),
    "delete": gettext_noop("Something could not be taken back in {room} ({reason})"),
    "topic": gettext_noop("The topic of {room} could not be set ({reason})"),
    "join": gettext_noop("I could not join {room} ({reason})"),
    "part": gettext_noop("I could not leave {room} ({reason})"),
    "upload": gettext_noop("The file {name} could not be shown in {room} ({reason})"),
}


class Sent(Protocol):
    """Remembers how services name what was sent."""

    async def note(self, reply: str, event: str) -> None:
        """Note that the service knows the reply as `event`; raises StoreError."""
        ...

    async def find(self, reply: str) -> str:
        """Return by what name the service knows the reply, or nothing; raises StoreError."""
        ...


class Rooms(Protocol):
    """Remembers where the bot is to be."""

    async def join(self, adapter: str, room: str, key: str = "") -> None:
        """Note that the bot is to be in `room`; raises StoreError."""
        ...

    async def part(self, adapter: str, room: str) -> None:
        """Note that the bot is not to be in `room`; raises StoreError."""
        ...


class Forgetful:
    """Remembers nothing: for whoever has no store, as in tests."""

    async def note(self, reply: str, event: str) -> None:
        """Forget it."""

    async def find(self, reply: str) -> str:  # noqa: ARG002 - a Sent
        """Know nothing."""
        return ""

    async def join(self, adapter: str, room: str, key: str = "") -> None:
        """Forget it."""

    async def part(self, adapter: str, room: str) -> None:
        """Forget it."""


class Operations:
    """Has adapters do what replies ask for."""

    def __init__(self, sent: Sent, rooms: Rooms) -> None:
        self._sent = sent
        self._rooms = rooms

    async def perform(self, adapter: Adapter, reply: Reply) -> None:
        """Have `adapter` do a reply that `adapt` has gone over; raises what its method raises."""
        if "target" in reply.args:
            reply = await self._name_target(reply)
        method = adapter.send if reply.op in {"say", "receipt"} else getattr(adapter, reply.op)
        id_: str | None = await method(reply)
        if reply.op in {"join", "part"}:
            await self._remember(reply, id_ or reply.channel)
        elif id_ and isinstance(adapter, Edits | Deletes | Reacts):
            await self._note(reply, id_)

    async def _name_target(self, reply: Reply) -> Reply:
        """Return the reply with its target as the service knows it: by a name of its own, or the reply's."""
        target = reply.args["target"]
        try:
            event = await self._sent.find(target) or target
        except StoreError as error:
            raise NotSent(f"{reply.room}: {error}") from error
        return replace(reply, args={**reply.args, "target": event})

    async def _note(self, reply: Reply, event: str) -> None:
        try:
            with trio.fail_after(NOTING):
                await self._sent.note(reply.id, event)
        except (StoreError, trio.TooSlowError) as error:
            log.warning("a reply cannot be changed later", reply=reply.id, reason=repr(error))

    async def _remember(self, reply: Reply, room: str) -> None:
        try:
            if reply.op == "join":
                await self._rooms.join(reply.adapter, room, reply.args.get("key", ""))
            else:
                await self._rooms.part(reply.adapter, room)
        except StoreError as error:
            raise NotSent(f"{reply.room}: {error}") from error


def adapt(adapter: Adapter, reply: Reply) -> Reply | None:
    """Return what `adapter` is to do for `reply`, or None if that is nothing.

    Raises:
        Undeliverable: the service cannot do it, and nothing can stand for it.
    """
    if reply.args.get("markup") == "markdown":
        style = adapter.style if isinstance(adapter, Styles) else PLAIN
        reply = replace(reply, text=render(reply.text, style))
    ability = _ABILITIES.get(reply.op)
    if ability is None or isinstance(adapter, ability):
        return _call_user(adapter, reply) if "mention" in reply.args else _choose_target(reply)
    match reply.op:
        case "act":
            return replace(reply, op="say", text=f"* {reply.text}")
        case "edit":
            return None if reply.args.get("passing") else replace(reply, op="say", args={})
        case "react" | "delete":
            return None
        case _:
            raise Undeliverable(
                Phrase("{adapter} has no {operation}", adapter=adapter.name, operation=reply.op)
            )


def explain(reply: Reply, reason: str, say: Say = say_english) -> str:
    """Return what tells people that something other than speaking could not be done; empty if it was to be said."""
    if not (sentence := _FAILED.get(reply.op)):
        return ""
    return say(sentence, room=reply.room, reason=reason, name=reply.args.get("name", ""))


def read_file(reply: Reply) -> bytes:
    """Return the content of the file that an `upload` brings.

    Raises:
        Undeliverable: it has none.
    """
    try:
        return b64decode(reply.args.get("data", ""), validate=True)
    except ValueError as error:
        raise Undeliverable(Phrase("the file cannot be read: {reason}", reason=error)) from error


def _call_user(adapter: Adapter, reply: Reply) -> Reply:
    user = User(reply.args["mention"], reply.args.get("name", ""))
    called = adapter.mention(user) if isinstance(adapter, Mentions) else f"{user.name or user.id}:"
    return replace(reply, text=f"{called} {reply.text}")


def _choose_target(reply: Reply) -> Reply | None:
    if reply.op != "react" or "target" in reply.args:
        return reply
    # What a service gives no id cannot be reacted to.
    return reply if reply.args.get("event") else None
