"""An IRC network of our own that forgets nothing: neither what was said to the bot, nor what it said, however often.

It speaks as much of IRC as `hachat.chat.irc` needs.  Like a bouncer it plays to whoever joins a channel what was said
there lately, each line under the id it has had from the beginning, so that a line is heard by the next master if the last one
died with it.  Lines of the bot have no ids here: one that is sent twice is recorded twice.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

import trio

KEPT = 500
"""Lines of a channel that are played to who joins it."""

_CHUNK = 65_536


@dataclass(frozen=True)
class Spoken:
    """Something the bot said; `at` is monotonic, and so is `joined`, when `nick` had come to the first channel."""

    at: float
    room: str
    text: str
    nick: str = ""
    joined: float = 0.0


class Network:
    """One server; `port` is where it listens once it runs, `record` what bots have said, in the order it came."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = 0
        self.record: list[Spoken] = []
        self._lines: dict[str, list[bytes]] = defaultdict(list)
        self._guests: set[_Guest] = set()
        self._banned: set[str] = set()
        self._said = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        listeners = await trio.open_tcp_listeners(0, host=self.host)
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._receive, listeners)

    def say(self, channel: str, text: str) -> None:
        """Say `text` in `channel`, to all who are there and all who will come."""
        self._said += 1
        line = f"@msgid=line-{self._said} :anna!anna@torture PRIVMSG {channel} :{text}"
        self._lines[channel].append(line.encode())
        for guest in self._guests:
            if channel in guest.channels:
                guest.tell(line.encode())

    def ban(self, nick: str) -> None:
        """Throw out whoever is called so, or longer, and let nobody of that name in until `pardon`."""
        self._banned.add(nick)
        for guest in list(self._guests):
            if self.is_banned(guest.nick):
                guest.drop()

    def pardon(self, nick: str) -> None:
        """Let it in again."""
        self._banned.discard(nick)

    def is_banned(self, nick: str) -> bool:
        """Tell whether somebody of this name may not be here."""
        return any(map(nick.startswith, self._banned))

    def note(self, channel: str, text: str, nick: str, joined: float) -> None:
        """Record what a bot has said."""
        self.record.append(Spoken(monotonic(), channel, text, nick, joined))

    def recent(self, channel: str) -> list[bytes]:
        """Return what is played to who joins `channel`."""
        return self._lines[channel][-KEPT:]

    async def _receive(self, stream: trio.SocketStream) -> None:
        guest = _Guest(self)
        self._guests.add(guest)
        try:
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(guest.write, stream)
                await guest.read(stream)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it was killed, which is what this network is for
        finally:
            self._guests.discard(guest)


class _Guest:
    """Somebody's connection; what it is told waits here while its process stands still."""

    def __init__(self, network: Network) -> None:
        self.channels: set[str] = set()
        self.nick = "nobody"
        self._network = network
        self._dropped = False
        self._since = monotonic()
        self._told, self._telling = trio.open_memory_channel[bytes](math.inf)

    def tell(self, line: bytes) -> None:
        """Send it `line`, when it takes it, unless it was sent away."""
        if not self._dropped:
            self._told.send_nowait(line)

    def drop(self) -> None:
        """Send it away; what it still says is heard by nobody, but read, or it might not hear why."""
        self.tell(b"ERROR :you are banned")
        self._dropped = True
        self._told.close()

    async def write(self, stream: trio.SocketStream) -> None:
        """Send what it is told, until it is sent away."""
        async for line in self._telling:
            await stream.send_all(line + b"\r\n")
        await stream.send_eof()

    async def read(self, stream: trio.SocketStream) -> None:
        """Do what it says until it quits, or is no more."""
        rest = b""
        while data := await stream.receive_some(_CHUNK):
            *lines, rest = (rest + data).split(b"\r\n")
            for line in () if self._dropped else lines:
                words, _, text = line.decode().partition(" :")
                command, *arguments = words.split()
                if command == "QUIT":
                    return
                for answer in self._answer(command, [*arguments, *([text] if text else [])]):
                    self.tell(answer)

    def _answer(self, command: str, arguments: list[str]) -> Iterator[bytes]:
        match command, arguments:
            case "PRIVMSG", [channel, text]:
                self._network.note(channel, text, self.nick, self._since)
            case "PING", [token]:
                yield f":torture PONG torture :{token}".encode()
            case "NICK", [nick]:
                self._take_name(nick)
            case "CAP", [verb, *_] if verb != "END":
                yield f":torture CAP * {'ACK' if verb == 'REQ' else verb} :message-tags".encode()
            case "CAP", _:
                yield f":torture 001 {self.nick} :welcome".encode()
                yield f":torture 005 {self.nick} CHANTYPES=# CASEMAPPING=ascii :are known".encode()
            case "JOIN", [channels]:
                for channel in channels.split(","):
                    yield from self._join(channel)

    def _take_name(self, nick: str) -> None:
        self.nick = nick
        if self._network.is_banned(nick):
            self.drop()

    def _join(self, channel: str) -> Iterator[bytes]:
        if not self.channels:
            self._since = (
                monotonic()
            )  # a connection made ahead stays out of the channels until its term begins
        yield f":{self.nick}!bot@torture JOIN {channel}".encode()
        yield f":torture 366 {self.nick} {channel} :end".encode()
        if channel not in self.channels:
            self.channels.add(channel)
            yield from self._network.recent(channel)
