"""What the decorators on a handler's methods declare, before there is an instance of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hachat.bot.consent import Confirm
from hachat.bot.constraints import FREE, Constraints
from hachat.bot.description import Usage
from hachat.bot.patterns import Pattern
from hachat.bot.policy import PLAIN, Policy
from hachat.core.signatures import Scheme
from hachat.core.slots import Schedule

DECLARED = "__hachat_declared__"
"""The attribute of a function that holds its declarations, the lowest decorator's first."""

Point = Literal["receive", "route", "reply"]
"""Where middleware stands: before routing, around the call of a route, before a reply is queued."""


@dataclass(frozen=True)
class ChatDeclaration:
    """A pattern for what is said: to the bot (`addressed`), or by anybody to anybody.

    `extensions` are options of middleware's, which knows them by their names.
    """

    pattern: Pattern
    addressed: bool
    usage: Usage
    groups: frozenset[str] = frozenset()
    policy: Policy = PLAIN
    constraints: Constraints = FREE
    confirm: Confirm | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HookDeclaration:
    """An HTTP request that is accepted for a handler, if it is signed with what the handler's attribute `secret` holds.

    The sender of one that is `inline` waits for what the method returns.
    """

    method: str
    path: str
    policy: Policy = PLAIN
    signature: Scheme | None = None
    secret: str = ""
    inline: bool = False


@dataclass(frozen=True)
class JobDeclaration:
    """Something that becomes due: at the slots of a schedule, or when a timer says so."""

    schedule: Schedule | None = None
    policy: Policy = PLAIN
    startup: bool = False


@dataclass(frozen=True)
class EventDeclaration:
    """Something that happens, by its normalised name."""

    event: str
    policy: Policy = PLAIN


@dataclass(frozen=True)
class MiddlewareDeclaration:
    """Something that is run with all that passes at one point."""

    point: Point


Declaration: TypeAlias = (
    ChatDeclaration | HookDeclaration | JobDeclaration | EventDeclaration | MiddlewareDeclaration
)
