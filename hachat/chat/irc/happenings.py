"""What people do on IRC beside speaking: coming, going, names, topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from irctokens.line import Line

_NAMES: Mapping[str, tuple[str, Sequence[str]]] = {
    "JOIN": ("joined", ["channel"]),
    "PART": ("parted", ["channel", "reason"]),
    "QUIT": ("quit", ["reason"]),
    "TOPIC": ("topic", ["channel", "topic"]),
    "KICK": ("kicked", ["channel", "nick", "reason"]),
    "NICK": ("nick", ["nick"]),
}


class Happening(NamedTuple):
    """What happened, in which channel if it was in one, and what else the line says."""

    name: str
    channel: str
    data: dict[str, str]


def read_happening(line: Line) -> Happening | None:
    """Return what somebody did, or None if that is nothing of these."""
    name, fields = _NAMES.get(line.command, ("", ()))
    if not name or len(line.params) < len([field for field in fields if field != "reason"]):
        return None
    data = dict(zip(fields, line.params, strict=False))
    return Happening(name, data.pop("channel", ""), data)
