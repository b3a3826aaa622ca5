"""The file in which a daemon keeps what others must know if it dies: who it is, the lease it holds, and where Redis is.

`hachat release` reads it when the process is gone.  systemd hands the service's credentials to the daemon and to nothing that
runs after it, so the logins stand here too: in the directory that systemd makes for the service, in memory, removed with
it, and readable for its user only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from hachat.core.redis_settings import RedisSettings
    from hachat.core.settings import Settings

NAME = "lease"
"""The file's name in the service's runtime directory."""

_START = 19
"""Where /proc/<pid>/stat says when the process began, counted from the field after its name."""


class Redis(NamedTuple):
    """Where Redis is, as `core.redis_settings` has it, but for what `hachat release` does not need."""

    url: str = ""
    sentinels: tuple[str, ...] = ()
    service: str = ""
    username: str = ""
    password: str = ""
    sentinel_username: str = ""
    sentinel_password: str = ""
    tls: bool = False
    tls_ca: str = ""


class Holding(NamedTuple):
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
    redis: Redis
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
    return Holding(
        settings.node, boot, pid, began, place, settings.cluster, describe(settings.redis)
    )


def describe(settings: RedisSettings) -> Redis:
    """Return what the file says of where Redis is."""
    return Redis(*(getattr(settings, name) for name in Redis._fields))


def write(path: Path, holding: Holding) -> None:
    """Replace the file, whole, and readable for this user only.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - Path opens no descriptor
        written = {**holding._asdict(), "redis": holding.redis._asdict()}
        file.write(json.dumps(written).encode())
    fresh.replace(path)


def read(path: Path) -> Holding | None:
    """Return what the file says, or None if there is none.

    Raises:
        OSError: it cannot be read.
        ValueError: it is something else.
    """
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    known = _take(path, told, {**dict.fromkeys(Holding._fields, ""), "pid": 0, "redis": {}})
    redis = Redis(**_take(path, known["redis"], Redis()._asdict()))
    return Holding(**{**known, "redis": redis})


def _take(path: Path, told: object, like: Mapping[str, Any]) -> dict[str, Any]:
    """Return those values that are named in `like`, each of the same type as there.

    Raises:
        ValueError: one is missing, or is something else.
    """
    # msgspec would do this, and takes longer to import than all else.
    values = told if isinstance(told, dict) else {}
    taken = {}
    for name, example in like.items():
        value = values.get(name)
        value = tuple(value) if isinstance(value, list) else value
        taken[name] = value
        if type(value) is not type(example):
            raise ValueError(f"{path} is no file of a daemon: it has no {name}, or another kind of")
    return taken


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
