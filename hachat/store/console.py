"""The console: a chat service of our own, over Redis.

What people type waits in one stream until the master has queued it; what the bot says is kept for an hour in a
stream for each room.  Whoever types a line chooses its id (a ULID), and the master makes it the message's id and
its event.  So a line may safely be typed again when the first answer was lost, and the replies to it and its receipt
are known by `Said.about` from the beginning.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from random import random
from typing import Any, NamedTuple, TypeVar

import msgspec
import trio

from hachat.core.backoff import backoff
from hachat.core.errors import QueueFull, StoreRefused, StoreUnavailable
from hachat.core.ids import make_id
from hachat.core.messages import Operation, Reply
from hachat.core.plain import show_lines
from hachat.core.wire import clean_text
from hachat.store.keys import Keys
from hachat.store.link import Link, Reader
from hachat.store.retry import retry
from hachat.store.scripts import load

BLOCK = 5.0
"""Seconds a read waits at the server for something new; open readers for at least as long."""

ELSEWHERE = 0.3
"""Seconds after the receipt for which replies in another room are waited for: a receipt follows those in its own."""

_WAITING = 10_000  # lines; more than that means that no master takes them
_KEPT = 1_000  # entries of a room, about
_LIFE = 3600.0
_BATCH = 100

_TYPE = load("console_type")
_POST = load("console_post")

T = TypeVar("T")


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """What someone typed; in a `private` room everything is addressed to the bot.

    `by` is the login name of whoever typed it, which they may have done in the name of `user`.
    """

    id: str
    room: str
    user: str
    text: str
    private: bool = False
    by: str = ""


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the bot said or did in a room; `about` is the id of the line that caused it."""

    kind: Operation
    text: str = ""
    about: str = ""

    @property
    def line(self) -> str:
        """What a console shows, where nothing can be changed once it is shown; nothing in it steers a terminal."""
        return _FORMS.get(self.kind, "{}").format(show_lines(self.text))


class Entry(NamedTuple):
    """Something that was said, and in which room."""

    room: str
    said: Said

    def tell(self, here: str) -> str:
        """Return what is shown of it in the room `here`."""
        return self.said.line if self.room == here else f"in {self.room}: {self.said.line}"


_FORMS: Mapping[Operation, str] = {
    "act": "* {}",
    "edit": "(now) {}",
    "delete": "(taken back)",
    "react": "(reacts) {}",
    "topic": "(topic) {}",
    "upload": "(file) {}",
}


class Typed(NamedTuple):
    """An entry of the stream of lines; `line` is None where somebody wrote something else there."""

    entry: str
    at: float
    line: Line | None


_lines = msgspec.json.Decoder(Line)
_saids = msgspec.json.Decoder(Said)


def new_line(room: str, user: str, text: str, *, private: bool = False, by: str = "") -> Line:
    """Return a line with an id of its own; what in `text` is no text is replaced."""
    name = make_id(time.time(), secrets.randbits(80))
    return Line(name, room, user, clean_text(text), private, by)


async def type_line(link: Link, keys: Keys, line: Line) -> None:
    """Hand `line` to the master; after a StoreUnavailable the same line may be typed again.

    Raises:
        QueueFull: too many lines wait, because no master takes them.
        StoreError: Redis did not take it, or not surely.
    """
    entry = await link.script(
        _TYPE, [keys.of("console:lines")], [_WAITING, msgspec.json.encode(line)]
    )
    if entry is None:
        raise QueueFull(f"{_WAITING} console lines wait already: is there a master?")


async def take_lines(reader: Reader, keys: Keys, after: str) -> list[Typed]:
    """Return the lines behind the entry `after` ("0" for all), waiting up to `BLOCK` seconds for one.

    Raises:
        StoreError: Redis did not answer, or said no.
    """
    entries = await _read(reader, {keys.of("console:lines"): after})
    return [Typed(entry, _seconds(entry), _decode(_lines, data)) for _, entry, data in entries]


async def forget(link: Link, keys: Keys, entries: Sequence[str]) -> None:
    """Drop lines that are queued; at least one.

    Raises:
        StoreError: Redis did not answer, or said no.
    """
    await link.command("XDEL", keys.of("console:lines"), *entries)


def find_room(user: str) -> str:
    """Return the room in which somebody is alone with the bot, unless they choose another."""
    return f"console-{user}"


async def post(link: Link, keys: Keys, reply: Reply, text: str = "") -> bool:
    """Say or do `reply` in its room, with its text or another one.

    Returns:
        False if a reply of this id was posted there within the last hour.

    Raises:
        StoreError: Redis did not answer, or said no.
    """
    said = Said(reply.op, text or reply.text, reply.about)
    room = find_room(reply.recipient) if reply.recipient else reply.channel
    names = [keys.of(f"console:room:{room}"), keys.of(f"console:sent:{reply.id}")]
    return bool(
        await link.script(_POST, names, [int(_LIFE * 1000), _KEPT, msgspec.json.encode(said)])
    )


async def find_end(link: Link, keys: Keys, room: str) -> str:
    """Return the last entry said in `room`, from which to listen for what comes; "0" if there is none.

    Raises:
        StoreError: Redis did not answer, or said no.
    """
    entries = await link.command("XREVRANGE", keys.of(f"console:room:{room}"), "+", "-", "COUNT", 1)
    return _text(entries[0][0]) if entries else "0"


@trio.as_safe_channel
async def listen(link: Link, keys: Keys, after: Mapping[str, str]) -> AsyncGenerator[Entry]:
    """Open a channel of what is said in rooms, in each behind the entry `after`, once and in order, for ever.

    While Redis is away it waits, then goes on where it was.
    """
    rooms = {keys.of(f"console:room:{room}"): room for room in after}
    positions = {key: after[room] for key, room in rooms.items()}
    waits = backoff(0.1, 2.0, random)
    while True:
        try:
            async with link.reader(BLOCK) as reader:
                while True:
                    for key, entry, data in await _read(reader, positions):
                        positions[key] = entry
                        if said := _decode(_saids, data):
                            yield Entry(rooms[key], said)
        except StoreUnavailable:
            await trio.sleep(next(waits))


@dataclass(frozen=True, slots=True)
class ConsoleClient:
    """One person at a console, in one room; `by` is the login name, where they speak in the name of another."""

    link: Link
    keys: Keys
    room: str
    user: str
    private: bool = True
    by: str = ""

    async def say(self, text: str) -> str:
        """Type `text` and return the id of the line; while Redis is away, wait for it.

        Raises:
            QueueFull: too many lines wait, because no master takes them.
            StoreRefused: Redis said no.
        """
        line = new_line(self.room, self.user, text, private=self.private, by=self.by)
        await retry(partial(type_line, self.link, self.keys, line), unless=StoreRefused)
        return line.id

    def ask(self, text: str) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[str]]:
        """Type `text` and open a channel of the replies to it, which ends with its receipt.

        There may never be a receipt, when no node is working: the caller sets the deadline.

        Raises:
            QueueFull: too many lines wait, because no master takes them.
            StoreRefused: Redis said no.
        """
        return _ask(self, text)

    @property
    def rooms(self) -> tuple[str, ...]:
        """Where replies to this person are said: in the room, and where they are alone with the bot."""
        return tuple(dict.fromkeys((self.room, find_room(self.user))))

    async def find_ends(self, rooms: Iterable[str]) -> dict[str, str]:
        """Return the entries of rooms from which to `listen` for what comes from now on."""
        look = partial(find_end, self.link, self.keys)
        return {room: await retry(partial(look, room), unless=StoreRefused) for room in rooms}

    def listen(
        self, after: Mapping[str, str]
    ) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[Entry]]:
        """Open a channel of all that is said in rooms, in each behind the entry `after`."""
        return listen(self.link, self.keys, after)


@trio.as_safe_channel
async def _ask(client: ConsoleClient, text: str) -> AsyncGenerator[str]:
    after = await client.find_ends(client.rooms)
    line = await client.say(text)
    with trio.CancelScope() as rest:
        async with client.listen(after) as entries:
            async for entry in entries:
                if entry.said.about != line:
                    continue
                if entry.said.kind != "receipt":
                    yield entry.tell(client.room)
                elif len(after) == 1:
                    return
                else:
                    rest.deadline = trio.current_time() + ELSEWHERE


async def _read(reader: Reader, positions: Mapping[str, str]) -> list[tuple[str, str, bytes]]:
    """Return what is new in streams, in the order in which it came: the key, the entry and what is in it."""
    block = int(BLOCK * 1000)
    streams = [*positions, *positions.values()]
    reply = await reader.read("XREAD", "COUNT", _BATCH, "BLOCK", block, "STREAMS", *streams)
    found = [
        (_text(key), _text(entry), fields[1])
        for key, entries in reply or ()
        for entry, fields in entries
    ]
    return sorted(found, key=lambda one: _seconds(one[1]))


def _decode(decoder: msgspec.json.Decoder[T], data: bytes) -> T | None:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _text(raw: Any) -> str:
    return bytes(raw).decode()


def _seconds(entry: str) -> float:
    return int(entry.partition("-")[0]) / 1000
