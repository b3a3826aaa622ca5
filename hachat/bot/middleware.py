"""What handlers do with all that passes: what is received, the calls of routes, and what is replied.

A piece of middleware that fails is not trusted with what it was given: what is received or replied goes on as it was, and the
log says so; a call fails as its handler would.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

import structlog

from hachat.bot.context import Context
from hachat.bot.declarations import MiddlewareDeclaration, Point
from hachat.bot.handler import F, name_method, record
from hachat.bot.routes import MiddlewareRoute
from hachat.core.errors import HandlerError
from hachat.core.messages import Message, Reply

P = TypeVar("P", Message, Reply)

log = structlog.get_logger(__name__)

Proceed = Callable[[], Awaitable[object]]
"""Runs what stands behind a piece of middleware, and the route at last."""


class Refused(Exception):
    """Raised by middleware around a route that is not to be run; says why, to the user."""


class Middleware:
    """Decorators for what is run with all that passes, in the order in which handlers were loaded."""

    def receive(self, function: F) -> F:
        """Give the method each message before it is routed: it returns that, another with a changed text, or None to drop it.

        It is a plain method that must not wait: it runs on the loop, for each message.

        Raises:
            HandlerError: the method cannot be used; says why.
        """
        return _declare("receive", function, awaited=False)

    def route(self, function: F) -> F:
        """Run the method around each call of a route: `async def timed(self, ctx, proceed)` awaits `proceed()`, or raises `Refused`.

        Raises:
            HandlerError: the method cannot be used; says why.
        """
        return _declare("route", function, awaited=True)

    def reply(self, function: F) -> F:
        """Give the method each reply before it is queued: it returns that, another with a changed text, or None to drop it.

        It is a plain method that must not wait, and may be called in any thread.

        Raises:
            HandlerError: the method cannot be used; says why.
        """
        return _declare("reply", function, awaited=False)


middleware = Middleware()
"""`@middleware.receive` and so on."""


class Chain:
    """All middleware of a node."""

    def __init__(self, routes: Iterable[MiddlewareRoute]) -> None:
        self._points: dict[Point, list[MiddlewareRoute]] = {"receive": [], "route": [], "reply": []}
        for route in routes:
            self._points[route.point].append(route)

    def receive(self, message: Message) -> Message | None:
        """Return what is to be routed of a message, or None if nothing is."""
        return _pass(self._points["receive"], message)

    def reply(self, reply: Reply) -> Reply | None:
        """Return what is to be queued of a reply, or None if nothing is."""
        return _pass(self._points["reply"], reply)

    async def run(self, context: Context, proceed: Proceed) -> None:
        """Run a route, which is what `proceed` does, with all that stands around it."""
        for route in reversed(self._points["route"]):
            proceed = partial(route.call, context, proceed)
        await proceed()


def _pass(routes: Iterable[MiddlewareRoute], value: P) -> P | None:
    """Return what becomes of a message or a reply."""
    for route in routes:
        try:
            changed: P | None = route.call(value)
            _check(value, changed)
        except Exception:
            log.exception("middleware failed and is passed over", route=route.name, id=value.id)
            continue
        if changed is None:
            log.info("dropped by middleware", route=route.name, id=value.id)
            return None
        value = changed
    return value


def _check(before: Message | Reply, after: object) -> None:
    """Refuse what is not `before` with another text."""
    if after is None or after is before:
        return
    if not isinstance(after, type(before)):
        raise TypeError(f"returned {type(after).__name__}, not {type(before).__name__} or None")
    for field in before.__struct_fields__:
        if field != "text" and getattr(before, field) != getattr(after, field):
            raise ValueError(f"changed {field}; only the text may be changed")


def _declare(point: Point, function: F, *, awaited: bool) -> F:
    name = f"middleware.{point}"
    where = f"@{name} on {name_method(name, function)}"
    if inspect.iscoroutinefunction(function) != awaited:
        kind = "async" if awaited else "a plain method, not async"
        raise HandlerError(f"{where}: it must be {kind}")
    parameters = len(inspect.signature(function).parameters)
    wanted = ["ctx", "proceed"] if awaited else ["message" if point == "receive" else "reply"]
    if parameters != len(wanted) + 1:
        raise HandlerError(f"{where}: write def {function.__name__}(self, {', '.join(wanted)})")
    return record(function, MiddlewareDeclaration(point))
