"""A real IRC server of the test's own, and people on it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest
import trio

from hachat.store.embedded import die_with_parent, free_port
from tests.certificates import make_certificate

_CONFIGURATION = """
[Global]
    Name = irc.test.invalid
    AdminInfo1 = hachat tests
    Info = a server for tests
    Listen = {host}
    Ports = {port}
    MotdPhrase = hello
    ServerUID = {uid}
    ServerGID = {gid}
    Password = {password}
[Limits]
    MaxConnectionsIP = 0
    MaxJoins = 0
    MaxNickLength = 9
    MaxPenaltyTime = 0
[Options]
    DNS = no
    Ident = no
    PAM = no
[SSL]
    CertFile = {certificate}
    KeyFile = {key}
    Ports = {tls_port}
"""


def find_ngircd() -> str:
    """Return where ngircd is; where it is absent, skip the test on a laptop and fail it in CI."""
    found = _look_for_ngircd()
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(lack_ngircd())
    pytest.skip(lack_ngircd())


def lack_ngircd() -> str:
    """Return why there is no ngircd; an empty text if there is one."""
    return "" if _look_for_ngircd() else "ngircd is not installed"


def _look_for_ngircd() -> str | None:
    return shutil.which("ngircd", path=os.environ.get("PATH", "") + ":/usr/sbin")


@dataclass
class Ngircd:
    """An ngircd, on loopback if on no other `host`, that can be killed and started again on the same ports."""

    directory: Path
    password: str = ""
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"
    _process: subprocess.Popen[bytes] | None = None

    @property
    def certificate(self) -> Path:
        """The self-signed certificate of `localhost`."""
        return self.directory / "certificate.pem"

    def start(self) -> None:
        """Start and return once it answers."""
        binary = find_ngircd()
        command = [binary, "--nodaemon", "--config", str(self._configure())]
        with (self.directory / "ngircd.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 -- one system call, no locks
            )
        self._wait_until_ready(self._process)

    def kill(self) -> None:
        """End it without a goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _configure(self) -> Path:
        self.directory.mkdir(parents=True, exist_ok=True)
        key = self.directory / "key.pem"
        if not key.exists():
            make_certificate(key, self.certificate)
        path = self.directory / "ngircd.conf"
        path.write_text(
            _CONFIGURATION.format(
                host=self.host,
                port=self.port,
                tls_port=self.tls_port,
                uid=os.getuid(),
                gid=os.getgid(),
                password=self.password,
                certificate=self.certificate,
                key=key,
            )
        )
        return path

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = monotonic() + 10
        while True:
            try:
                socket.create_connection((self.host, self.port), 1.0).close()
            except OSError as error:
                if process.poll() is not None or monotonic() > deadline:
                    log = (self.directory / "ngircd.log").read_text()
                    raise RuntimeError(f"ngircd did not start: {log}") from error
                try:
                    process.wait(0.01)
                except subprocess.TimeoutExpired:
                    continue
            else:
                return


@contextmanager
def run_ngircd(directory: Path, *, password: str = "") -> Iterator[Ngircd]:
    """Run an ngircd until the block ends."""
    server = Ngircd(directory, password)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Person:
    """Someone with a bare connection to the server."""

    def __init__(self, stream: trio.SocketStream, nick: str) -> None:
        self.nick = nick
        self._stream = stream
        self._lines: list[str] = []
        self._rest = b""

    async def send(self, line: str) -> None:
        """Send one line."""
        await self._stream.send_all(f"{line}\r\n".encode())

    async def say(self, target: str, text: str) -> None:
        """Say `text` to a channel or a nick."""
        await self.send(f"PRIVMSG {target} :{text}")

    async def join(self, channel: str) -> None:
        """Join `channel`, and return once in it."""
        await self.send(f"JOIN {channel}")
        await self.expect(" 366 ")

    async def expect(self, fragment: str) -> str:
        """Return the next line that contains `fragment`, passing over others."""
        with trio.fail_after(10):
            while True:
                while self._lines:
                    line = self._lines.pop(0)
                    if fragment in line:
                        return line
                await self._receive()

    async def hear(self) -> str:
        """Return the text of the next message."""
        line = await self.expect(" PRIVMSG ")
        return line.split(" :", 1)[1]

    async def _receive(self) -> None:
        data = await self._stream.receive_some(4096)
        if not data:
            raise EOFError("the server closed the connection")
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        self._lines += [line.decode() for line in lines]
        for line in [line for line in self._lines if line.startswith("PING ")]:
            await self.send(line.replace("PING", "PONG", 1))


@asynccontextmanager
async def visit(server: Ngircd, nick: str) -> AsyncIterator[Person]:
    """Be on `server` as `nick` until the block ends."""
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        person = Person(stream, nick)
        if server.password:
            await person.send(f"PASS {server.password}")
        await person.send(f"NICK {nick}")
        await person.send(f"USER {nick} 0 * :{nick}")
        await person.expect(" 001 ")
        yield person
