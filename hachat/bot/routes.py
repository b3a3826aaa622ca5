"""What the robot runs: methods of handlers, and what each of them is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from msgspec.json import encode

from hachat.bot.arguments import Kind, convert
from hachat.bot.consent import Confirm
from hachat.bot.constraints import FREE, Constraints
from hachat.bot.declarations import Point
from hachat.bot.description import Usage
from hachat.bot.options import Options
from hachat.bot.patterns import Found, Pattern
from hachat.bot.policy import PLAIN, Policy
from hachat.bot.signature import Decode
from hachat.bot.texts import ENGLISH, Texts
from hachat.core.messages import Event
from hachat.core.signatures import Scheme, verify
from hachat.core.slots import Schedule


@dataclass(frozen=True, eq=False)
class Route:
    """One decorator on one method of one instance; `name` is `<handler>.<method>`, unique on the node."""

    name: str
    handler: str
    call: Callable[..., Any]
    policy: Policy = field(default=PLAIN, kw_only=True)

    @property
    def owner(self) -> type:
        """The class of the handler."""
        return type(getattr(self.call, "__self__", None))

    @cached_property
    def awaited(self) -> bool:
        """Whether the method is async; one that is not is run in a thread."""
        return inspect.iscoroutinefunction(self.call)


@dataclass(frozen=True, eq=False)
class ChatRoute(Route):
    """A method that is run for what is said.

    `kinds` are its arguments and what each is converted to, those that the pattern's groups give and those that are `options`;
    it cannot be run without those that are `needed`.
    """

    pattern: Pattern
    addressed: bool
    usage: Usage
    groups: frozenset[str] = frozenset()
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    constraints: Constraints = FREE
    options: Options | None = None
    confirm: Confirm | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)

    def read(self, found: Found, texts: Texts = ENGLISH) -> dict[str, object]:
        """Return the arguments in the pattern's groups; one that took no part is left to the parameter's default.

        Raises:
            ValueError: a value is not of the kind the method asks for; says so to the user, in the language of `texts`.
        """
        names = self.pattern.names
        said = {name: found[name] for name in names if found[name] is not None}
        for name in self.needed - said.keys():
            raise ValueError(texts.say("{option} needs a value.", option=name.upper()))
        return {name: convert(name, text, self.kinds[name], texts) for name, text in said.items()}


@dataclass(frozen=True, eq=False)
class HookRoute(Route):
    """A method that is run for a webhook; `body` is the argument that receives the request's body, if any.

    One that is `inline` is answered with what the method returns.
    """

    method: str
    path: str
    body: str = ""
    decode: Decode = bytes
    signature: Scheme | None = None
    secret: str = field(default="", repr=False)
    inline: bool = False

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Refuse a request that is not signed as it should be; `now` is Unix seconds.

        Raises:
            Unsigned: it is not; says why.
        """
        if self.signature is not None:
            verify(self.signature, self.secret, headers, body, now)

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

    `method` is its name without the number of the decorator; `argument` receives the data, if any.  With `startup` it is due
    when the cluster starts.
    """

    method: str
    schedule: Schedule | None = None
    startup: bool = False
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


@dataclass(frozen=True, eq=False)
class EventRoute(Route):
    """A method that is run when something happens; `argument` receives what is told of it, if any."""

    event: str
    argument: str = ""
    decode: Decode = bytes

    def read(self, event: Event) -> dict[str, object]:
        """Return the argument that receives what `event` tells.

        Raises:
            ValueError: it is not what the method's annotation asks for; says how.
        """
        if not self.argument:
            return {}
        try:
            return {self.argument: self.decode(event.body.encode() or encode(event.data))}
        except RecursionError:
            raise ValueError("the data is nested too deep") from None


@dataclass(frozen=True, eq=False)
class MiddlewareRoute(Route):
    """A method that is run with all that passes at one `point`: what is received, the calls of routes, or what is replied."""

    point: Point
