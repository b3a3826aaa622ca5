"""What the lines of a server mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hachat.core.messages import Room, User


@dataclass(frozen=True, slots=True)
class Write:
    """A line that must be sent at once."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Registered:
    """The server has let us in."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Someone said something; `event` is the network's id of it, where it has one."""

    room: Room
    user: User
    text: str
    event: str


@dataclass(frozen=True, slots=True)
class Happened:
    """Someone else did something; `event` is the network's id of it, where it has one."""

    name: str
    room: Room | None
    user: User
    data: dict[str, str]
    event: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The server has told whom it knows by `mask`, a channel or a nick, ourselves left out."""

    mask: str
    users: tuple[User, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The server would not do what we asked."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The server has closed the connection, or it is of no use to us."""

    reason: str


Event: TypeAlias = Write | Registered | Heard | Happened | Listed | Refused | Ended
