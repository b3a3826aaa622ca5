"""Where the servers of a drill stand: each in a network namespace of its own, or all on loopback.

A namespace lasts as long as a process in it: each is held by one that ends with ours, so that nothing is left behind whatever
ends us.  The bridge that joins them is in the namespace we run in, which must be a private one: see `tests.whole.drills.entry`.
A server has two addresses, one for Redis and the daemon, one for its Sentinel, so that they can be cut off one by one.

    us: bridge ── .0.254 those who watch, which is first, or cutting off the chat would cut them off   .0.100 chat
      ├─ veth ─ 1: .0.1 Redis, daemon   .1.1 Sentinel
      ├─ veth ─ 2: .0.2                 .1.2
      └─ veth ─ 3: .0.3                 .1.3
"""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from hachat.store.embedded import run_child
from tests.waiting import until_sync

SERVERS = (1, 2, 3)

_NOBODY = "02:00:00:00:00:99"
"""A hardware address that nobody has."""

_CLONE_NEWNET = 0x40000000


def own_address(number: int, net: str) -> str:
    """Return where Redis and the daemon of a server listen."""
    return f"{net}.0.{number}"


def sentinel_address(number: int, net: str) -> str:
    """Return where the Sentinel of a server listens."""
    return f"{net}.1.{number}"


@dataclass
class Loopback:
    """All servers on loopback, under addresses of their own: nothing can be cut off."""

    net: str = field(default_factory=lambda: f"127.{random.randrange(1, 255)}")

    def build(self, stack: ExitStack) -> None:
        """Nothing is to be done."""

    @property
    def chat(self) -> str:
        """The address of the chat server."""
        return f"{self.net}.0.100"

    def command(self, number: int, command: Sequence[str]) -> list[str]:
        """Return the command that runs `command` on a server."""
        return list(command)

    def enter(self, number: int) -> None:
        """Let the calling thread stand on a server, for ever."""


@dataclass
class Namespaces(Loopback):
    """A namespace for each server."""

    net: str = "10.77"
    holders: dict[int, int] = field(default_factory=dict)
    _deaf: set[tuple[int, str]] = field(default_factory=set)

    def build(self, stack: ExitStack) -> None:
        """Make the bridge and the namespaces; they last until the end of `stack`, or ours.

        Raises:
            RuntimeError: this namespace is not a private one.
        """
        links = [line.split(":")[1].strip() for line in _ip("-o", "link").splitlines()]
        if links != ["lo"]:
            raise RuntimeError(f"not in a namespace of our own: it has {links}")
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "hub", "type", "bridge")
        stack.callback(_clear)
        for last in ("0.254", "0.100"):
            _ip("address", "add", f"{self.net}.{last}/16", "dev", "hub")
        _ip("link", "set", "hub", "up")
        here = Path("/proc/self/ns/net").readlink()
        for number in SERVERS:
            holder = stack.enter_context(run_child(["unshare", "--net", "sleep", "infinity"])).pid
            until_sync(lambda: Path(f"/proc/{holder}/ns/net").readlink() != here)  # noqa: B023 - at once
            self.holders[number] = holder
            self._connect(number)

    def _connect(self, number: int) -> None:
        peer = ("peer", "name", "eth0", "netns", str(self.holders[number]))
        _ip("link", "add", _port(number), "type", "veth", *peer)
        _ip("link", "set", _port(number), "master", "hub", "up")
        self._inside(number, "link", "set", "lo", "up")
        for address in (own_address(number, self.net), sentinel_address(number, self.net)):
            self._inside(number, "address", "add", f"{address}/16", "dev", "eth0")
        self._inside(number, "link", "set", "eth0", "up")

    def command(self, number: int, command: Sequence[str]) -> list[str]:
        """Return the command that runs `command` on a server."""
        return ["nsenter", f"--net=/proc/{self.holders[number]}/ns/net", *command]

    def enter(self, number: int) -> None:
        """Let the calling thread stand on a server, for ever."""
        place = os.open(f"/proc/{self.holders[number]}/ns/net", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(place, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(place)

    def unplug(self, number: int) -> None:
        """Pull a server's cable."""
        _ip("link", "set", _port(number), "down")

    def mute(self, number: int, *addresses: str) -> None:
        """Let nothing that a server sends reach `addresses`; it is not told."""
        for address in addresses:
            self._inside(number, "neighbour", "replace", *_stray(address))
            self._deaf.add((number, address))

    def part(self, one: int, *others: int) -> None:
        """Let nothing pass between a server and others."""
        for other in others:
            for a, b in ((one, other), (other, one)):
                self.mute(a, own_address(b, self.net), sentinel_address(b, self.net))

    def abort(self, number: int, address: str, port: int) -> None:
        """End every connection of a server to another at once: what is under way to it finds nobody.

        Raises:
            RuntimeError: this kernel cannot do that.
        """
        chosen = ["state", "established", "dst", address, "dport", "=", str(port)]
        there = ["ss", "--no-header", "--tcp", "--numeric", *chosen]
        for way in ([*there, "--kill"], there):
            done = subprocess.run(
                self.command(number, way), check=True, capture_output=True, text=True
            )
        if done.stdout:
            raise RuntimeError(f"connections cannot be ended from outside: {done.stdout}")

    def heal(self) -> None:
        """Plug in every cable, and let everything pass."""
        for number, address in self._deaf:
            self._inside(number, "neighbour", "del", address, "dev", "eth0")
        self._deaf.clear()
        for number in SERVERS:
            _ip("link", "set", _port(number), "up")

    def _inside(self, number: int, *words: str) -> None:
        subprocess.run(self.command(number, ["ip", *words]), check=True)


def _clear() -> None:
    """Leave the namespace as it was, for another lab; a cable whose other end is gone goes by itself, some time."""
    for name in ("hub", *map(_port, SERVERS)):
        subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)


def _port(number: int) -> str:
    return f"port{number}"


def _stray(address: str) -> Sequence[str]:
    return (address, "lladdr", _NOBODY, "dev", "eth0", "nud", "permanent")


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
    return done.stdout
