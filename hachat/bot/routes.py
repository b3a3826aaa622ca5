"""From what a handler declares to what the robot runs.

Everything a declaration and a signature can disagree about is found here, before the first message.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hachat.bot.context import Usage
from hachat.bot.handler import DECLARED, ChatDeclaration, Handler, HookDeclaration
from hachat.bot.policy import PLAIN, Policy
from hachat.bot.signature import Decode, Signature
from hachat.core.errors import HandlerError

QUOTED = 40
"""Characters of what somebody said that are said back to them."""


@dataclass(frozen=True, eq=False)
class Route:
    """One decorator on one method of one instance; `name` is `<handler>.<method>`, unique on the node."""

    name: str
    handler: str
    call: Callable[..., Any]
    policy: Policy = field(default=PLAIN, kw_only=True)

    @cached_property
    def awaited(self) -> bool:
        """Whether the method is async; one that is not is run in a thread."""
        return inspect.iscoroutinefunction(self.call)


@dataclass(frozen=True, eq=False)
class ChatRoute(Route):
    """A method that is run for what is said; `kinds` are its arguments and what each is converted to."""

    pattern: re.Pattern[str]
    addressed: bool
    usage: Usage
    groups: frozenset[str] = frozenset()
    kinds: Mapping[str, type] = field(default_factory=dict)

    def read(self, found: re.Match[str]) -> dict[str, object]:
        """Return the method's arguments; a group that took no part is left to the parameter's default.

        Raises:
            ValueError: a value is not of the kind the method asks for; says so to the user.
        """
        if not self.kinds:
            return {}
        said = {name: found[name] for name in self.kinds if found[name] is not None}
        return {name: _convert(name, text, self.kinds[name]) for name, text in said.items()}


@dataclass(frozen=True, eq=False)
class HookRoute(Route):
    """A method that is run for a webhook; `body` is the argument that receives the request's body, if any."""

    method: str
    path: str
    body: str = ""
    decode: Decode = bytes

    def check(self, body: bytes) -> None:
        """Refuse a body the method could not be given.

        Raises:
            ValueError: it is not what the method's annotation asks for; says how.
        """
        self.read(body)

    def read(self, body: bytes) -> dict[str, object]:
        """Return the argument that receives `body`; raises as `check` does."""
        body.decode()  # the queue carries text
        if not self.body:
            return {}
        try:
            return {self.body: self.decode(body)}
        except RecursionError:
            raise ValueError("the body is nested too deep") from None


def bind(handler: Handler) -> list[Route]:
    """Return the routes that `handler` declares, in the order of its methods.

    Raises:
        HandlerError: one of them cannot work; says which and what to do.
    """
    who = type(handler).__qualname__
    if not re.fullmatch(r"[a-z0-9_-]+", handler.name):
        raise HandlerError(f"{who}: {handler.name!r} is no handler name; use a-z, 0-9, _ and -")
    routes = list(_bind_all(handler))
    if not routes:
        raise HandlerError(f"{who} declares no route; put @command, @hear or @hook on a method")
    return routes


def shorten(said: str) -> str:
    """Return what somebody said as a short quotation on one line."""
    line = " ".join(said[: QUOTED * 2].split())
    return f'"{line}"' if len(line) <= QUOTED else f'"{line[: QUOTED - 1]}…"'


def _bind_all(handler: Handler) -> Iterator[Route]:
    cls = type(handler)
    for name in dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base)):
        declared = getattr(inspect.getattr_static(cls, name), DECLARED, ())
        for number, declaration in enumerate(declared, 1):
            route = f"{handler.name}.{name}" + (f"-{number}" if number > 1 else "")
            yield _bind_one(route, handler.name, getattr(handler, name), declaration)


def _bind_one(
    name: str, handler: str, call: Callable[..., Any], declared: ChatDeclaration | HookDeclaration
) -> Route:
    signature = Signature(call)
    if isinstance(declared, ChatDeclaration):
        kinds = _read_kinds(declared.pattern, signature)
        return ChatRoute(name, handler, call, **vars(declared), kinds=kinds)
    body, decode = _read_body(declared.path, signature)
    return HookRoute(name, handler, call, **vars(declared), body=body, decode=decode)


def _read_kinds(pattern: re.Pattern[str], signature: Signature) -> dict[str, type]:
    for name in pattern.groupindex:
        if name not in signature.names:
            raise signature.fault(f"the pattern's group {name!r} has no parameter; add {name}: str")
    for name in signature.names:
        if name not in pattern.groupindex and not signature.is_optional(name):
            raise signature.fault(
                f"nothing supplies {name!r}; add (?P<{name}>...) to the pattern or give it a default"
            )
    return {name: signature.read_kind(name) for name in pattern.groupindex}


def _read_body(path: str, signature: Signature) -> tuple[str, Decode]:
    variables = re.findall(r"<(\w+)>", path)
    for name in variables:
        if name not in signature.names:
            raise signature.fault(f"the path's <{name}> has no parameter; add {name}: str")
        if signature.read_kind(name) is not str:
            raise signature.fault(
                f"{name} comes from the path, so it is a str; convert it in the method"
            )
    bodies = [name for name in signature.names if name not in variables]
    if len(bodies) > 1:
        raise signature.fault(
            f"only one of {', '.join(bodies)} can be the body; name the others in the path"
        )
    return (bodies[0], signature.read_decoder(bodies[0])) if bodies else ("", bytes)


def _convert(name: str, said: str, kind: type) -> object:
    try:
        value: object = kind(said)
    except ValueError:
        value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        noun = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name} must be {noun}, not {shorten(said)}.")
    return value
