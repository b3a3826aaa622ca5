"""The Redis and the Sentinel of a server of a drill: processes that are killed, frozen, and started again on what they have kept."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from subprocess import Popen
from typing import Any

from hachat.store.client import make_client
from hachat.store.embedded import find_binary, run_child
from hachat.store.translation import unwrap
from tests.whole.drills.ground import SERVERS, Loopback, own_address, sentinel_address

SERVICE = "mymaster"
REDIS = 6379
SENTINEL = 26379

_REDIS = """
bind {address}
port 6379
dir {folder}
protected-mode no
enable-debug-command yes
save ""
appendonly yes
appendfsync everysec
repl-diskless-sync-delay 0
repl-diskless-load swapdb
replica-announce-ip {address}
min-replicas-to-write 1
min-replicas-max-lag 2
"""

_SENTINEL = """
bind {address}
port 26379
dir {folder}
protected-mode no
sentinel myid {myid}
sentinel announce-ip {address}
sentinel monitor mymaster {master} 6379 2
"""

TIMES = (("down-after-milliseconds", 1200), ("failover-timeout", 6000), ("parallel-syncs", 2))
"""How a Sentinel watches: options and their values."""


@dataclass
class Program:
    """A process of a server; `kind` is `redis` or `sentinel`, `before` a command that runs its own."""

    kind: str
    number: int
    address: str
    port: int
    folder: Path
    ground: Loopback
    children: ExitStack
    before: Sequence[str] = ()
    process: Popen[bytes] = field(init=False)

    @property
    def settings(self) -> Path:
        """The file it reads and writes."""
        return self.folder / f"{self.kind}.conf"

    def start(self) -> None:
        """Start it on what it has kept."""
        mode = ["--sentinel"] if self.kind == "sentinel" else []
        own = [*self.before, str(find_binary()), str(self.settings), *mode]
        command = self.ground.command(self.number, own)
        log = self.folder / f"{self.kind}.log"
        self.process = self.children.enter_context(run_child(command, output=log))

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Let it stand still."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def forget(self) -> None:
        """Take from it what it has kept, but its settings."""
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        for file in self.folder.glob("*.rdb"):
            file.unlink()

    @property
    def runs(self) -> bool:
        """Whether the process lives."""
        return self.process.poll() is None

    def ask(self, *command: str | int, patience: float = 1.0) -> Any:
        """Return the answer to a command; raises StoreError."""
        with closing(make_client(patience, host=self.address, port=self.port)) as client:
            (answer,) = client.exchange([command])
            return unwrap(answer)

    def read(self, *command: str | int) -> Mapping[str, str]:
        """Return an answer that is names and values, or INFO's lines; raises StoreError."""
        return read_pairs(self.ask(*command))


def read_pairs(answer: Any) -> dict[str, str]:
    """Return names and values of a flat list, or of lines."""
    if isinstance(answer, bytes):
        lines = [line.partition(":") for line in answer.decode().splitlines() if ":" in line]
        return {name: value for name, _, value in lines}
    texts = [text.decode() for text in answer]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def make_stores(
    folder: Path, ground: Loopback, children: ExitStack
) -> tuple[dict[int, Program], dict[int, Program]]:
    """Return the Redis servers and the Sentinels by server, not started; the first Redis is the master."""
    stores, sentinels = {}, {}
    names = {number: token_hex(20) for number in SERVERS}
    for number in SERVERS:
        place = folder / f"server-{number}"
        place.mkdir(parents=True, exist_ok=True)
        own, watched = (at(number, ground.net) for at in (own_address, sentinel_address))
        stores[number] = Program("redis", number, own, REDIS, place, ground, children)
        stores[number].settings.write_text(_write_redis(own, place, number, ground.net))
        sentinels[number] = Program("sentinel", number, watched, SENTINEL, place, ground, children)
        sentinels[number].settings.write_text(
            _write_sentinel(watched, place, number, names, ground.net)
        )
    return stores, sentinels


def _write_redis(address: str, folder: Path, number: int, net: str) -> str:
    text = _REDIS.format(address=address, folder=folder)
    first = own_address(SERVERS[0], net)
    return text if number == SERVERS[0] else f"{text}replicaof {first} {REDIS}\n"


def _write_sentinel(
    address: str, folder: Path, number: int, names: Mapping[int, str], net: str
) -> str:
    # Told of each other beforehand, they need not find each other, which takes them seconds.
    first = own_address(SERVERS[0], net)
    text = _SENTINEL.format(address=address, folder=folder, myid=names[number], master=first)
    known: Sequence[str] = [
        *(f"{option} {SERVICE} {value}" for option, value in TIMES),
        *(f"known-replica {SERVICE} {own_address(one, net)} {REDIS}" for one in SERVERS[1:]),
        *(
            f"known-sentinel {SERVICE} {sentinel_address(one, net)} {SENTINEL} {names[one]}"
            for one in SERVERS
            if one != number
        ),
    ]
    return text + "".join(f"sentinel {line}\n" for line in known)
