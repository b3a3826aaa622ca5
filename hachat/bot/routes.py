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

from hachat.bot.description import Usage
from hachat.bot.handler import (
    DECLARED,
    ChatDeclaration,
    Declaration,
    Handler,
    HookDeclaration,
    JobDeclaration,
)
from hachat.bot.policy import PLAIN, Policy
from hachat.bot.signature import Decode, Signature
from hachat.core.errors import HandlerError
from hachat.core.slots import Schedule

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


@dataclass(frozen=True, eq=False)
class JobRoute(Route):
    """A method that is run when something is due: at the slots of `schedule`, or when a timer names it.

    `method` is its name without the number of the decorator; `argument` receives the data, if any.
    """

    method: str
    schedule: Schedule | None = None
    argument: str = ""
    optional: bool = False
    decode: Decode = bytes

    def read(self, data: str) -> dict[str, object]:
        """Return the argument that receives `data`, which is JSON or nothing.

        Raises:
            ValueError: it is not what the method's annotation asks for; says how.
        """
        if not self.argument and data:
            raise ValueError(f"{self.method} takes no data; give it a parameter beside ctx")
        if self.argument and not data and not self.optional:
            raise ValueError(f"{self.method} needs data for {self.argument}")
        if not data:
            return {}
        try:
            return {self.argument: self.decode(data.encode())}
        except RecursionError:
            raise ValueError("the data is nested too deep") from None


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
        raise HandlerError(
            f"{who} declares no route; put @command, @hear, @hook or @every on a method"
        )
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


def _bind_one(name: str, handler: str, call: Callable[..., Any], declared: Declaration) -> Route:
    signature = Signature(call)
    if isinstance(declared, ChatDeclaration):
        kinds = _read_kinds(declared.pattern, signature)
        return ChatRoute(name, handler, call, **vars(declared), kinds=kinds)
    if isinstance(declared, HookDeclaration):
        body, decode = _read_body(declared.path, signature)
        return HookRoute(name, handler, call, **vars(declared), body=body, decode=decode)
    method = re.sub(r"-\d+$", "", name)
    return JobRoute(
        name, handler, call, method, **vars(declared), **_read_data(declared, signature)
    )


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


def _read_data(declared: JobDeclaration, signature: Signature) -> dict[str, Any]:
    """Return what a route knows of the argument that receives a job's data."""
    if len(signature.names) > 1:
        raise signature.fault(
            f"only one of {', '.join(signature.names)} can be the data; put them into a msgspec.Struct"
        )
    if not signature.names:
        return {}
    (name,) = signature.names
    optional = signature.is_optional(name)
    if declared.schedule and not optional:
        raise signature.fault(f"a schedule gives no data; give {name} a default")
    decode = signature.read_json(name, "the data")
    return {"argument": name, "optional": optional, "decode": decode}


def _convert(name: str, said: str, kind: type) -> object:
    try:
        value: object = kind(said)
    except ValueError:
        value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        noun = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name} must be {noun}, not {shorten(said)}.")
    return value
