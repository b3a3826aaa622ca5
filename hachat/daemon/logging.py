"""Log lines: for people on a terminal, JSON elsewhere; secrets never, and one way out for everybody.

structlog's loggers and those of the libraries end in the same handler, so that they look alike.  Everything a
logger refers to lives as long as the process and is changed in place, because modules cache their loggers.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from structlog.contextvars import merge_contextvars
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import JSONRenderer, format_exc_info
from structlog.stdlib import ProcessorFormatter, add_logger_name

from hachat.core.redaction import mask

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

    from hachat.core.settings import LogSettings

NOT_LOADED = "a handler was not loaded"
"""The event under which a log says so; `error` is why."""

_handler: logging.StreamHandler[Any] = logging.StreamHandler()
_processors: list[Processor] = [ProcessorFormatter.wrap_for_formatter]


class Logger(structlog.BoundLoggerBase):
    """The one class of our loggers; its methods are those of the level that `configure` was last given."""


def configure(
    settings: LogSettings,
    node: str,
    *,
    role: Callable[[], str] = lambda: "standby",
    stream: TextIO | None = None,
) -> None:
    """Send all log lines to `stream`; called again it changes level and format, of every existing logger too.

    Args:
        settings: Level and format.
        node: This node's name, on every line.
        role: Tells the role this node has as the line is written.
        stream: Where to; standard error unless given.
    """
    _handler.stream = stream or sys.stderr
    renderer = _make_renderer(settings.format, _handler.stream)
    _handler.setFormatter(_make_formatter(node, role, renderer))
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    root = logging.getLogger()
    root.addHandler(_handler)
    root.setLevel(max(level, logging.WARNING))  # what libraries say below it is theirs
    _set_level(settings.level)
    structlog.configure(
        processors=_processors,
        wrapper_class=Logger,
        logger_factory=_make_logger,
        cache_logger_on_first_use=True,
    )


def _make_formatter(node: str, role: Callable[[], str], renderer: Processor) -> ProcessorFormatter:
    def stamp(_: Any, level: str, event: EventDict) -> EventDict:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        first = {"timestamp": now, "level": level, "event": event.pop("event")}
        return {**first, "node": node, "role": role(), **event}

    return ProcessorFormatter(
        processors=[
            merge_contextvars,
            add_logger_name,
            ProcessorFormatter.remove_processors_meta,
            stamp,
            format_exc_info,
            _redact,
            renderer,
        ]
    )


def _make_renderer(style: str, stream: TextIO) -> Processor:
    terminal = stream.isatty()
    if style == "json" or (style == "auto" and not terminal):
        return JSONRenderer()
    # Tracebacks are text by now; the renderer's own would show local variables, secrets among them.
    return ConsoleRenderer(colors=terminal, exception_formatter=plain_traceback)


def _redact(_: Any, __: str, event: EventDict) -> EventDict:
    plain: EventDict = mask(event)
    return plain


def _set_level(level: str) -> None:
    for name, method in vars(structlog.make_filtering_bound_logger(level)).items():
        if not name.startswith("__"):
            setattr(Logger, name, method)


def _make_logger(name: str = "hachat", *_: object) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)  # `Logger` has filtered already
    return logger
