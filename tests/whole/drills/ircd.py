"""A real IRC server for a lab, and a person in its rooms who asks and hears.

It has of `tests.whole.network.Network` what a lab needs, but plays nothing again: what is said while no bot is there is not heard.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import trio

from tests.chat.ngircd import Ngircd
from tests.whole.network import Spoken

_LINE = re.compile(r":([^! ]+)!\S+ (JOIN|QUIT|PRIVMSG)(?: :?(#\S+))?(?: :(.*))?")

_WHO = "anna"


class Ircd:
    """One server at `host`; `port` is where it listens once it runs, `record` what bots have said, in the order it came."""

    def __init__(self, host: str, folder: Path, rooms: Sequence[str]) -> None:
        self.record: list[Spoken] = []
        self._server = Ngircd(folder / "ngircd", host=host)
        self._rooms = rooms
        self._joined: dict[str, float] = {}
        self._said, self._saying = trio.open_memory_channel[str](math.inf)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve, and listen, until cancelled."""
        self._server.start()
        try:
            async with await trio.open_tcp_stream(self._server.host, self.port) as stream:
                for line in (f"NICK {_WHO}", f"USER {_WHO} 0 * :{_WHO}"):
                    self._said.send_nowait(line)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, stream)
                    await self._read(stream, task_status)
        finally:
            self._server.kill()

    def say(self, room: str, text: str) -> None:
        """Say `text` in a room, to all who are there."""
        self._said.send_nowait(f"PRIVMSG {room} :{text}")

    async def _write(self, stream: trio.SocketStream) -> None:
        async for line in self._saying:
            await stream.send_all(f"{line}\r\n".encode())

    async def _read(self, stream: trio.SocketStream, task_status: trio.TaskStatus[None]) -> None:
        rest, missing = b"", len(self._rooms)
        async for data in stream:
            *lines, rest = (rest + data).split(b"\r\n")
            for line in map(bytes.decode, lines):
                self._hear(line)
                if " 366 " in line:
                    missing -= 1
                    if not missing:
                        task_status.started()

    def _hear(self, line: str) -> None:
        if line.startswith("PING "):
            self._said.send_nowait(line.replace("PING", "PONG", 1))
        elif " 001 " in line:
            self._said.send_nowait(f"JOIN {','.join(self._rooms)}")
        elif found := _LINE.fullmatch(line):
            self._note(*found.groups())

    def _note(self, nick: str, word: str, room: str, text: str) -> None:
        if word == "JOIN":
            self._joined.setdefault(nick, monotonic())
        elif word == "QUIT":
            self._joined.pop(nick, None)
        else:
            self.record.append(Spoken(monotonic(), room, text, nick, self._joined.get(nick, 0.0)))
