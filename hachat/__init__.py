"""A chat-ops bot that stays up: what the author of a handler imports.

The names are fetched when they are first used, because `hachat release` has milliseconds and needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hachat.bot.context import Context
    from hachat.bot.handle import Handle
    from hachat.bot.handler import Handler, command, every, hear, hook, job
    from hachat.bot.policy import Retry

__version__ = "0.1.0"

__all__ = [
    "Context",
    "Handle",
    "Handler",
    "Retry",
    "__version__",
    "command",
    "every",
    "hear",
    "hook",
    "job",
]

_HOMES = {
    "Context": "hachat.bot.context",
    "Handle": "hachat.bot.handle",
    "Handler": "hachat.bot.handler",
    "Retry": "hachat.bot.policy",
    "command": "hachat.bot.handler",
    "every": "hachat.bot.handler",
    "hear": "hachat.bot.handler",
    "hook": "hachat.bot.handler",
    "job": "hachat.bot.handler",
}

if not TYPE_CHECKING:  # a type checker would take it for a promise of every name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
