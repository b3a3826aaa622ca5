"""From what a handler declares to routes.

Everything a declaration and a signature can disagree about is found here, before the first message.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from hachat.bot.declarations import (
    DECLARED,
    ChatDeclaration,
    Declaration,
    EventDeclaration,
    HookDeclaration,
    JobDeclaration,
    MiddlewareDeclaration,
)
from hachat.bot.handler import Handler
from hachat.bot.options import Options
from hachat.bot.routes import ChatRoute, EventRoute, HookRoute, JobRoute, MiddlewareRoute, Route
from hachat.bot.signature import Decode, Signature
from hachat.core.errors import HandlerError


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
        return ChatRoute(
            name, handler, call, **{**vars(declared), **_read_chat(declared, signature)}
        )
    if isinstance(declared, HookDeclaration):
        body, decode = _read_body(declared.path, signature)
        secret = _read_secret(declared, call, signature)
        known: dict[str, Any] = {**vars(declared), "secret": secret}
        return HookRoute(name, handler, call, **known, body=body, decode=decode)
    if isinstance(declared, MiddlewareDeclaration):
        return MiddlewareRoute(name, handler, call, **vars(declared))
    if isinstance(declared, EventDeclaration):
        data = _read_data(signature)
        data.pop("optional", None)
        return EventRoute(name, handler, call, **vars(declared), **data)
    method = re.sub(r"-\d+$", "", name)
    return JobRoute(name, handler, call, method, **vars(declared), **_read_due(declared, signature))


def _read_secret(declared: HookDeclaration, call: Callable[..., Any], signature: Signature) -> str:
    """Return what requests must be signed with; nothing where they need not be."""
    if declared.signature is None:
        return ""
    secret = getattr(getattr(call, "__self__", None), declared.secret, None)
    if isinstance(secret, str) and secret:
        return secret
    raise signature.fault(
        f"its requests are to be signed, but self.{declared.secret} holds no secret; set it in __init__, from the settings"
    )


def _read_chat(declared: ChatDeclaration, signature: Signature) -> dict[str, Any]:
    """Return what a route knows of its arguments: groups of its pattern, and options of a command."""
    groups = declared.pattern.names
    for name in groups:
        if name not in signature.names:
            raise signature.fault(f"the pattern's group {name!r} has no parameter; add {name}: str")
    options = [
        name
        for name in signature.names
        if declared.addressed and name not in groups and signature.is_keyword(name)
    ]
    for name in signature.names:
        if name not in (*groups, *options) and not signature.is_optional(name):
            raise signature.fault(
                f"nothing supplies {name!r}; add (?P<{name}>...) to the pattern or give it a default"
            )
    kinds = {name: signature.read_kind(name) for name in (*groups, *options)}
    needed = frozenset(name for name in groups if not signature.is_optional(name))
    if not options:
        return {"kinds": kinds, "needed": needed}
    required = frozenset(name for name in options if not signature.is_optional(name))
    parsed = Options({name: kinds[name] for name in options}, required)
    usage = declared.usage
    if "--" not in usage.line:
        usage = replace(usage, line=f"{usage.line} {parsed.usage}")
    return {"kinds": kinds, "needed": needed, "options": parsed, "usage": usage}


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


def _read_due(declared: JobDeclaration, signature: Signature) -> dict[str, Any]:
    """Return what a route knows of the argument that receives a job's data."""
    data = _read_data(signature)
    if data and (declared.schedule or declared.startup) and not data["optional"]:
        source = "a schedule" if declared.schedule else "a start"
        raise signature.fault(f"{source} gives no data; give {data['argument']} a default")
    return data


def _read_data(signature: Signature) -> dict[str, Any]:
    """Return what is known of the one argument that receives data, if there is one."""
    if len(signature.names) > 1:
        raise signature.fault(
            f"only one of {', '.join(signature.names)} can be the data; put them into a msgspec.Struct"
        )
    if not signature.names:
        return {}
    (name,) = signature.names
    decode = signature.read_json(name, "the data")
    return {"argument": name, "optional": signature.is_optional(name), "decode": decode}
