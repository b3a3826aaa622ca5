"""The file in which a daemon keeps what others must know if it dies: who it is, the lease it holds, and where Redis is.

`hachat release` reads it when the process is gone.  systemd hands the service's credentials to the daemon and to nothing that
runs after it, so the logins stand here too: in the directory that systemd makes for the service, in memory, removed with
it, and readable for its user only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hachat.core.redis_settings import RedisSettings

if TYPE_CHECKING:
    from hachat.core.settings import Settings

NAME = "lease"
"""The file's name in the service's runtime directory."""

_START = 19
"""Where /proc/<pid>/stat says when the process began, counted from the field after its name."""


class Holding(msgspec.Struct, frozen=True):
    """What a process holds in the cluster, and how to reach the Redis in which it does.

    `pid` and `began` (clock ticks since the machine's start) tell it from every other process of its `place`, a machine
    and a pid namespace; `token` is empty while it is not master.
    """

    node: str
    boot: str
    pid: int
    began: str
    place: str
    cluster: str
    redis: RedisSettings
    token: str = ""

    @property
    def consumer(self) -> str:
        """The name under which it reads the inbound queue."""
        return f"{self.node}:{self.boot}"


def locate(environ: Mapping[str, str]) -> Path | None:
    """Return where the file belongs, or None outside of a service with a runtime directory."""
    directory = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(directory) / NAME if directory else None


def introduce(settings: Settings, boot: str) -> Holding:
    """Return what this process, a node with these settings, holds before it has a lease.

    Raises:
        OSError: there is no /proc to learn it from.
    """
    pid = os.getpid()
    began, place = _read_began(pid), read_place()
    return Holding(settings.node, boot, pid, began, place, settings.cluster, settings.redis)


def write(path: Path, holding: Holding) -> None:
    """Replace the file, whole, and readable for this user only.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - Path opens no descriptor
        file.write(msgspec.json.encode(holding))
    fresh.replace(path)


def read(path: Path) -> Holding | None:
    """Return what the file says, or None if there is none.

    Raises:
        OSError: it cannot be read.
        ValueError: it is something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holding)
    except FileNotFoundError:
        return None


def lives(holding: Holding) -> bool:
    """Tell whether the process that wrote this is still there; another one with its pid is not it.

    Raises:
        OSError: it cannot be seen.
    """
    try:
        return _read_began(holding.pid) == holding.began
    except (FileNotFoundError, ProcessLookupError):
        _read_began(os.getpid())  # without a /proc nobody would seem to live
        return False


def read_place() -> str:
    """Return in which machine and pid namespace this process is.

    Raises:
        OSError: there is no /proc to learn it from.
    """
    return f"{os.uname().nodename} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - a name, no path


def _read_began(pid: int) -> str:
    # The name stands in brackets and may hold anything, brackets and blanks too.
    return (
        Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[_START]
    )
