"""Methods that are run in another process, because they keep a processor busy.

Both halves are here: `run_remotely` in our process tells, as JSON, what is to be done about what, and `perform` in the other
does it and returns, as JSON, what was said.  The other process makes a handler of its own from the same class and settings.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MethodType
from typing import Any, get_type_hints

import msgspec
import structlog

from hachat.bot.context import Context
from hachat.bot.description import Bot
from hachat.bot.handler import Handler
from hachat.bot.loading import find_class, make
from hachat.bot.policy import Retry
from hachat.bot.quoting import split_arguments
from hachat.bot.replies import Replies
from hachat.bot.routes import Route
from hachat.bot.services import Compute
from hachat.bot.speaking import Speaking
from hachat.core.errors import ProcessFailed
from hachat.core.messages import Inbound, Reply

_made: dict[tuple[type[Handler], str], Handler] = {}

_LEVELS = ("debug", "info", "warning", "error", "critical")


class Request(msgspec.Struct):
    """What is to be done: a method of a handler, about something that came in, and how its replies are named."""

    module: str
    file: str
    name: str
    section: str
    method: str
    arguments: dict[str, Any]
    inbound: Inbound
    bot: Bot
    text: str
    prefix: str
    about: str
    route: str
    stem: str
    count: int


class Line(msgspec.Struct):
    """Something that is to be logged."""

    level: str
    event: str
    fields: dict[str, Any]


class Response(msgspec.Struct):
    """What came of it; `after` is when an error wants to be tried again, None if it does not say."""

    replies: list[Reply]
    lines: list[Line]
    error: str = ""
    trace: str = ""
    after: float | None = None


class Offline(Speaking):
    """What a method is given that is run in another process: what it is about, the verbs with which it speaks, and a log."""

    def __init__(self, request: Request, replies: Replies) -> None:
        super().__init__(request.inbound, replies)
        self.bot = request.bot
        self.text = request.text
        self.prefix = request.prefix
        self.lines: list[Line] = []

    @property
    def id(self) -> str:
        """The id of the message, webhook or job, as in the logs."""
        return self.inbound.id

    @cached_property
    def args(self) -> tuple[str, ...]:
        """The words after the first, split as a shell does; quotes that do not close are plain characters."""
        return split_arguments(self.text)

    @cached_property
    def log(self) -> structlog.stdlib.BoundLogger:
        """A logger whose lines are written when the method has ended."""
        logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
            None,
            processors=[structlog.processors.format_exc_info, self._note],
            wrapper_class=structlog.BoundLogger,
        )
        return logger

    def _note(self, _: object, level: str, fields: Any) -> Any:
        event = str(fields.pop("event", ""))
        plain = msgspec.to_builtins(fields, enc_hook=repr)
        self.lines.append(Line(level if level in _LEVELS else "error", event, plain))
        raise structlog.DropEvent


async def run_remotely(
    compute: Compute, route: Route, context: Context, arguments: Mapping[str, object]
) -> None:
    """Run the method of `route` in another process, and say here what it has said there.

    Raises:
        Retry: the method wants to be run again later.
        ProcessFailed: it raised another error; ProcessDied if the process ended.
    """
    assert isinstance(route.call, MethodType)
    handler = route.call.__self__
    assert isinstance(handler, Handler)
    cls = type(handler)
    request = Request(
        module=cls.__module__,
        file=getattr(sys.modules.get(cls.__module__), "__file__", None) or "",
        name=cls.__qualname__,
        section=msgspec.json.encode(dict(handler.section)).decode(),
        method=route.call.__name__,
        arguments=dict(arguments),
        inbound=context.inbound,
        bot=context.bot,
        text=context.text,
        prefix=context.prefix,
        **context.name_replies(),
    )
    data = await compute(f"{__name__}:perform", msgspec.json.encode([request], enc_hook=_write))
    response = msgspec.json.decode(data, type=Response)
    for line in response.lines:
        getattr(context.log, line.level)(line.event, **line.fields)
    context.repeat(response.replies)
    if response.after is not None:
        raise Retry(response.error, after=response.after)
    if response.error:
        failure = ProcessFailed(response.error)
        failure.add_note(response.trace)
        raise failure


def perform(asked: dict[str, Any]) -> Response:
    """Do what is asked, in this process."""
    request = msgspec.convert(asked, Request)
    replies = Replies(request.about, request.route, request.stem)
    replies.count = request.count
    context = Offline(request, replies)
    response = Response([], context.lines)
    try:
        method = _find_method(request)
        method(context, **_read(method, request.arguments))
    except Retry as error:
        response.error, response.after = str(error), error.after
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is told to whoever asked
        response.error = f"{type(error).__name__}: {error}"
        response.trace = traceback.format_exc()
    replies.close()
    response.replies = list(replies)
    return response


def _find_method(request: Request) -> Callable[..., None]:
    cls = find_class(request.module, request.name, request.file)
    method: Callable[..., None] = getattr(_make(cls, request.section), request.method)
    return method


def _make(cls: type[Handler], section: str) -> Handler:
    """Return the handler that is kept for all calls."""
    if (cls, section) not in _made:
        _made[cls, section] = make(cls, {cls.name: msgspec.json.decode(section)})
    return _made[cls, section]


def _read(method: Callable[..., None], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as the method's annotations ask for them."""
    kinds = get_type_hints(method)
    return {
        name: msgspec.convert(value, kinds.get(name, Any), dec_hook=_construct)
        for name, value in arguments.items()
    }


def _construct(kind: Callable[[Any], Any], value: Any) -> Any:
    return kind(value)


def _write(value: object) -> object:
    """Return as plain data what JSON does not know: spans are numbers."""
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"{type(value).__name__} cannot be handed to another process")
