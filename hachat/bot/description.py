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

    @property
    def handler(self) -> str:
        """The name of the handler that has it."""
        return self.route.partition(".")[0]


@dataclass(frozen=True)
class Topic:
    """A handler, as help tells of it: its name, what it is for, and the module that defines it."""

    name: str
    purpose: str = ""
    module: str = ""


@dataclass(frozen=True)
class Bot:
    """The bot that runs a handler, on the node where it runs."""

    name: str
    node: str = ""
    handlers: tuple[str, ...] = ()
    commands: tuple[Usage, ...] = ()
    topics: tuple[Topic, ...] = ()
