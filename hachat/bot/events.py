"""Decorators for what happens and is not said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from hachat.bot.declarations import EventDeclaration, JobDeclaration
from hachat.bot.handler import F, name_method, read_policy, record, refuse_bare
from hachat.core.errors import HandlerError
from hachat.core.names import normalise


def on(event: str, *, age: float | None = None, **policy: Any) -> Callable[[F], F]:
    """Run the method when `event` happens: on a chat service, to the cluster, or because a handler says so.

    A method may take one argument, what is told of the event.  For options see `command`; `docs/routing.md` lists the events.

    Raises:
        HandlerError: the name, the method or an option cannot be used; says which and why.
    """
    refuse_bare("on", event)

    def declare(function: F) -> F:
        where = f"@on on {name_method('on', function)}"
        try:
            name = normalise(event)
        except (ValueError, AttributeError) as error:
            raise HandlerError(f"{where}: {error}") from error
        return record(function, EventDeclaration(name, read_policy("on", function, policy, age)))

    return declare


@overload
def startup(function: F) -> F: ...
@overload
def startup(**policy: Any) -> Callable[[F], F]: ...
def startup(function: F | None = None, **policy: Any) -> F | Callable[[F], F]:
    """Run the method once when the cluster starts: as a node joins while no other lives; see `job`.

    Raises:
        HandlerError: the method or an option cannot be used; says which and why.
    """

    def declare(function: F) -> F:
        how = read_policy("startup", function, policy, None)
        return record(function, JobDeclaration(policy=how, startup=True))

    return declare if function is None else declare(function)
