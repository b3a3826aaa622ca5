"""The routes of all handlers on a node, found by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from hachat.bot.description import Bot, Topic
from hachat.bot.routes import ChatRoute, EventRoute, HookRoute, JobRoute, MiddlewareRoute, Route
from hachat.bot.texts import Texts, own_texts, texts_of
from hachat.core.errors import HandlerError

log = structlog.get_logger(__name__)

R = TypeVar("R", bound=Route)


def find_rivals(routes: Iterable[Route]) -> Iterator[str]:
    """Yield a sentence about each two commands that are written alike: both would answer."""
    first: dict[tuple[str, tuple[str, ...]], ChatRoute] = {}
    for route in routes:
        if isinstance(route, ChatRoute) and route.addressed:
            written = route.pattern.text.casefold(), route.constraints.rooms
            other = first.setdefault(written, route)
            if other.call != route.call:
                yield f"{other.name} and {route.name} are both run for {route.pattern.text!r}; change one, or let it stop the other"


class Catalogue:
    """Routes by their kind, in the order in which they were loaded on `node`."""

    def __init__(self, routes: Sequence[Route], node: str) -> None:
        self.chat = _choose(routes, ChatRoute)
        self.hooks = _choose(routes, HookRoute)
        self.jobs = _choose(routes, JobRoute)
        self.events = _choose(routes, EventRoute)
        self.middleware = _choose(routes, MiddlewareRoute)
        self.commands = [route for route in self.chat if route.addressed]
        self._topics = {route.handler: route for route in routes}
        self._node = node
        self._hooks = {route.name: route for route in self.hooks}
        self._jobs = {route.method: route for route in reversed(self.jobs)}
        self._jobs |= {route.name: route for route in self.jobs}

    def describe(self, name: str, language: str) -> Bot:
        """Return what the bot `name` can tell of itself with these routes, in its language."""
        return Bot(
            name=name,
            node=self._node,
            handlers=tuple(self._topics),
            commands=tuple(
                replace(
                    route.usage.translate(_find_texts(route, language)),
                    route=route.name,
                    groups=route.groups,
                    rooms=route.constraints.rooms,
                )
                for route in self.commands
            ),
            topics=tuple(
                _describe(route, _find_texts(route, language)) for route in self._topics.values()
            ),
        )

    def find_hook(self, name: str) -> HookRoute:
        """Return the webhook of that name.

        Raises:
            HandlerError: no handler has it.
        """
        if route := self._hooks.get(name):
            return route
        raise self._miss(name)

    def find_due(self, name: str) -> JobRoute:
        """Return the route of that name that is run when something is due.

        Raises:
            HandlerError: no handler has it.
        """
        if route := self._jobs.get(name):
            return route
        raise self._miss(name)

    def find_job(self, handler: str, method: str) -> JobRoute:
        """Return the route that `handler` means by `method`: a method of its own, or `<handler>.<method>`.

        Raises:
            LookupError: there is none; says so.
        """
        own = f"{handler}.{method}"
        if route := self._jobs.get(method if "." in method else own):
            return route
        raise LookupError(
            f"{method!r} is no method that timers can run; mark the method with @job, and name it as "
            "'method' or, of another handler, as 'handler.method'"
        )

    def find_listeners(self, event: str) -> list[EventRoute]:
        """Return those that are run when `event` happens; its name is normalised."""
        return [route for route in self.events if route.event == event]

    def _miss(self, route: str) -> HandlerError:
        return HandlerError(
            f"no handler on node {self._node} has the route {route}; load the same handlers on every node"
        )


def _describe(route: Route, texts: Texts) -> Topic:
    purpose = texts.find((route.owner.__doc__ or "").strip().partition("\n")[0])
    return Topic(route.handler, purpose.rstrip("."), route.owner.__module__)


def _find_texts(route: Route, language: str) -> Texts:
    """Return the texts of the route's handler; help does without a catalogue that cannot be read."""
    try:
        return texts_of(route.owner, language)
    except HandlerError as error:
        log.error("help is not translated", route=route.name, error=str(error))
        return own_texts(language)


def _choose(routes: Sequence[Route], kind: type[R]) -> Sequence[R]:
    return [route for route in routes if isinstance(route, kind)]
