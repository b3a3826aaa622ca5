"""A chat-ops bot that stays up: what the author of a handler imports.

The names are fetched when they are first used, because `hachat release` has milliseconds and needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hachat.bot.consent import Anybody, Confirm
    from hachat.bot.context import Context
    from hachat.bot.events import on, startup
    from hachat.bot.handle import Handle
    from hachat.bot.handler import Handler, command, every, hear, job
    from hachat.bot.hooks import hook
    from hachat.bot.middleware import Refused, middleware
    from hachat.bot.policy import Retry
    from hachat.core.durations import Duration
    from hachat.core.markdown import Markdown
    from hachat.core.messages import Message, Reply, Room, User
    from hachat.core.responses import Response

__version__ = "0.1.0"

__all__ = [
    "Anybody",
    "Confirm",
    "Context",
    "Duration",
    "Handle",
    "Handler",
    "Markdown",
    "Message",
    "Refused",
    "Reply",
    "Response",
    "Retry",
    "Room",
    "User",
    "__version__",
    "command",
    "every",
    "hear",
    "hook",
    "job",
    "middleware",
    "on",
    "startup",
]

_HOMES = {
    "Anybody": "hachat.bot.consent",
    "Confirm": "hachat.bot.consent",
    "Context": "hachat.bot.context",
    "Handle": "hachat.bot.handle",
    "Duration": "hachat.core.durations",
    "Handler": "hachat.bot.handler",
    "Markdown": "hachat.core.markdown",
    "Message": "hachat.core.messages",
    "Refused": "hachat.bot.middleware",
    "Reply": "hachat.core.messages",
    "Response": "hachat.core.responses",
    "Retry": "hachat.bot.policy",
    "Room": "hachat.core.messages",
    "User": "hachat.core.messages",
    "command": "hachat.bot.handler",
    "every": "hachat.bot.handler",
    "hear": "hachat.bot.handler",
    "hook": "hachat.bot.hooks",
    "job": "hachat.bot.handler",
    "middleware": "hachat.bot.middleware",
    "on": "hachat.bot.events",
    "startup": "hachat.bot.events",
}

if not TYPE_CHECKING:  # a type checker would take it for a promise of every name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
