"""What a bot can tell of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """How one command is written, without the bot's name, and what it does; which `route` runs it, for which `groups`."""

    line: str
    explanation: str = ""
    route: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bot:
    """The bot that runs a handler, on the node where it runs."""

    name: str
    node: str = ""
    handlers: tuple[str, ...] = ()
    commands: tuple[Usage, ...] = ()
