"""IRC as a chat service.

IRC acknowledges nothing and keeps nothing: a line is sent when the connection has taken it, and what is said
while nobody is connected is lost.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import trio

from hachat.chat.adapter import GOODBYE, Facts, Ingest
from hachat.chat.irc.bucket import Bucket
from hachat.chat.irc.lines import check_channel, format_reply, format_topic
from hachat.chat.irc.presence import Presence
from hachat.chat.irc.session import Session
from hachat.chat.irc.settings import IrcSettings
from hachat.chat.irc.stream import open_stream
from hachat.chat.irc.wire import (
    is_target,
)
from hachat.chat.markup import IRC
from hachat.core.errors import InDoubt, NotSent, SettingsError, Undeliverable
from hachat.core.messages import Reply, User
from hachat.core.phrases import Phrase

_RECONNECTING = 1.0  # seconds after which it is looked again whether we are connected
_CONNECTING = 1.0  # seconds for which a connection that is just being made is waited for
_PATTERN = frozenset("*?")  # would ask for more than one


@dataclass(frozen=True, slots=True)
class _Begun:
    """A reply of more lines than may go out at once: what is left of it, and where it was begun."""

    reply: str
    rest: list[bytes]
    presence: Presence


class _Ahead:
    """A connection that waits for `serve`; `stack` closes it, once it has been let go."""

    def __init__(self, presence: Presence) -> None:
        self.presence = presence
        self.wanted = False
        self.free = trio.Event()
        self.stack: AsyncExitStack | None = None


class IrcAdapter:
    """The bot on one IRC network.

    Raises:
        SettingsError: the bot has no nick that IRC could take.
    """

    facts = Facts(overlap=True)
    style = IRC

    def __init__(
        self, settings: IrcSettings, *, bot_name: str = "hachat", name: str = "irc"
    ) -> None:
        self.name = name
        self._settings = settings
        self._nick = settings.nick or bot_name
        if not is_target(self._nick):
            raise SettingsError(
                [f"chat.{name}: {self._nick!r} is no IRC nick; set chat.{name}.nick"]
            )
        self._bucket = Bucket(settings.burst, settings.interval)
        self._presence: Presence | None = None
        self._ahead: _Ahead | None = None
        self._connected = trio.Event()
        self._patient_until = -math.inf
        self._rooms: dict[str, str | None] = {}
        self._begun: dict[str, _Begun] = {}  # by room: a room has one reply on its way

    async def serve(
        self, ingest: Ingest, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Register, join the channels and hear until the connection ends; when cancelled, quit.

        It goes on with the connection that `warm` keeps, if there is one.

        Raises:
            OSError: no connection could be made, or it has ended.
        """
        self._connected = trio.Event()
        self._patient_until = trio.current_time() + _CONNECTING
        async with self._connect() as presence:
            presence.session.expect(self._rooms)
            self._presence = presence
            self._connected.set()
            try:
                await presence.run(ingest, task_status=task_status)
            finally:
                self._presence = None

    async def warm(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Register under a spare nick, and stay out of the channels until `serve` takes the connection.

        Raises:
            OSError: no connection could be made, or it has ended.
        """
        async with AsyncExitStack() as stack:
            stream = await stack.enter_async_context(open_stream(self._settings))
            session = Session(self._settings, self._nick, self.name, waiting=True)
            presence = Presence(self._settings, session, stream)
            await presence.register()
            self._ahead = ahead = _Ahead(presence)
            task_status.started()
            try:
                await presence.stand_by()
                if ahead.wanted:
                    ahead.stack = stack.pop_all()
            finally:
                self._ahead = None
                ahead.free.set()

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[Presence]:
        ahead = self._ahead
        if ahead is not None and (stack := await _take(ahead)) is not None:
            async with stack:
                yield ahead.presence
            return
        async with open_stream(self._settings) as stream:
            yield Presence(self._settings, Session(self._settings, self._nick, self.name), stream)

    async def send(self, reply: Reply) -> None:
        """Return when the connection has taken all lines of `reply`.

        A reply of up to `burst` lines goes out at once.  Of a longer one only a burst does: the NotSent says when to
        send it again, and then it goes on where it stopped.

        Raises:
            NotSent: not connected, or the lines would come too fast.
            Undeliverable: the room cannot be a channel or a nick.
            InDoubt: the connection ended while the lines went out.
        """
        if reply.op == "receipt":
            return
        presence = await self._find_presence()
        lines = self._lines_left(reply, presence)
        now = trio.current_time()
        if ready := self._bucket.take(len(lines), now):
            await self._write(reply, lines[:ready], presence)
        if rest := lines[ready:]:
            if ready:
                self._begun[reply.room] = _Begun(reply.id, rest, presence)
            after = self._bucket.wait(len(rest), now)
            raise NotSent(f"{reply.room}: {len(rest)} lines wait for flood control", after=after)

    async def act(self, reply: Reply) -> None:
        """Say what the bot does, as `/me`; returns and raises as `send` does."""
        await self.send(reply)

    def mention(self, user: User) -> str:
        """Return what calls `user`: the nick, as people write it."""
        return f"{user.name or user.id.partition('!')[0]}:"

    async def topic(self, reply: Reply) -> None:
        """Set a topic, of which IRC takes one line; raises as `send` does."""
        presence = await self._find_presence()
        line = format_topic(reply, presence.session, self._settings.encoding)
        await self._request(reply, line, presence)

    def expect(self, rooms: Mapping[str, str | None]) -> None:
        """Take note of where the bot has been told to be, and not to be."""
        self._rooms = dict(rooms)

    async def join(self, reply: Reply) -> str:
        """Come into a channel, now and whenever it is missing; raises as `send` does."""
        presence = await self._find_presence()
        channel, key = check_channel(reply, presence.session), reply.args.get("key", "")
        await self._request(reply, presence.session.join(channel, key), presence)
        self._rooms[channel] = key
        presence.session.expect(self._rooms)
        return channel

    async def part(self, reply: Reply) -> str:
        """Leave a channel and stay out of it; raises as `send` does."""
        presence = await self._find_presence()
        channel = check_channel(reply, presence.session)
        self._rooms[channel] = None
        presence.session.expect(self._rooms)
        self._take_line(reply.room)
        await self._write(reply, [presence.session.part(channel)], presence)
        return channel

    async def roster(self, channel: str) -> list[User]:
        """Return who is in a channel, or the other one in a private room if there is such a nick, without the bot.

        Raises:
            NotSent: not connected, or it would come too fast.
            Undeliverable: we are not in that channel.
        """
        presence = await self._find_presence()
        session = presence.session
        # Just after connecting the server is asked behind the JOIN, and answers behind it.
        joining = presence.joining and session.is_ours(channel)
        if session.is_channel(channel) and not session.is_in(channel) and not joining:
            raise Undeliverable(f"{channel}: the bot is not in it")
        return await self._ask_who(channel, presence)

    async def lookup(self, user: str) -> User | None:
        """Return who is on the network under the id `user`; an account is found once it was seen in our channels.

        Raises:
            NotSent: not connected, or it would come too fast.
        """
        presence = await self._find_presence()
        nick, is_mask, _ = user.partition("!")
        nick = nick if is_mask else presence.session.find_nick(user)
        if not nick:
            return None
        found = await self._ask_who(nick, presence)
        return next((one for one in found if one.id == user), None)

    async def _find_presence(self) -> Presence:
        if self._presence is None or not self._presence.usable:
            await self._wait_connected()
        if self._presence is None or not self._presence.usable:
            raise NotSent(f"{self.name}: not connected", after=_RECONNECTING, scope="adapter")
        return self._presence

    async def _wait_connected(self) -> None:
        # At the beginning of a term replies wait already: to look again in a second would be a second of silence.
        with trio.move_on_at(self._patient_until):
            await self._connected.wait()
            if self._presence is not None:
                await self._presence.wait_usable()

    async def _ask_who(self, mask: str, presence: Presence) -> list[User]:
        if not is_target(mask) or not _PATTERN.isdisjoint(mask):
            raise Undeliverable(f"{mask}: not a channel or a nick")
        self._take_line("a question")
        try:
            return await presence.ask_who(mask)
        except ConnectionError as error:
            raise NotSent(f"{self.name}: {error}") from error

    async def _request(self, reply: Reply, line: bytes, presence: Presence) -> None:
        self._take_line(reply.room)
        channel = presence.session.fold(reply.channel)
        try:
            refusal = await presence.request(line, channel)
        except ConnectionError as error:
            raise InDoubt(f"{reply.room}: {error}") from error
        if refusal:
            raise Undeliverable(Phrase("the server refuses it: {reason}", reason=refusal))

    def _take_line(self, what: str) -> None:
        now = trio.current_time()
        if not self._bucket.take(1, now):
            raise NotSent(f"{what} waits for flood control", after=self._bucket.wait(1, now))

    async def _write(self, reply: Reply, lines: list[bytes], presence: Presence) -> None:
        self._begun.pop(reply.room, None)
        try:
            await presence.write(lines)
        except ConnectionError as error:
            raise InDoubt(f"{reply.room}: {error}") from error

    def _lines_left(self, reply: Reply, presence: Presence) -> list[bytes]:
        begun = self._begun.get(reply.room)
        if begun is None or begun.reply != reply.id:
            return format_reply(reply, presence.session, self._settings.encoding)
        if begun.presence is not presence:
            del self._begun[reply.room]
            raise InDoubt(f"{reply.room}: the connection ended between its lines")
        return begun.rest


async def _take(ahead: _Ahead) -> AsyncExitStack | None:
    """Return what closes the connection, now ours; None if it has ended meanwhile."""
    ahead.wanted = True
    ahead.presence.take()
    with trio.move_on_after(GOODBYE, shield=True):
        await ahead.free.wait()
    ahead.wanted = False
    return ahead.stack
