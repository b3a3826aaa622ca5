"""From what a class declares to its routes, and everything that declaration and signature can disagree about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from hachat import Context, Handler, command, every, hear, hook, job, middleware, on
from hachat.bot.binding import bind
from hachat.bot.routes import ChatRoute, EventRoute, HookRoute, JobRoute, MiddlewareRoute
from hachat.core.errors import HandlerError
from hachat.core.messages import Event, Message

if TYPE_CHECKING:
    from decimal import Decimal


class Body(msgspec.Struct):
    """A body."""

    app: str


class Opaque:
    """Nothing a body can become."""


def test_names_and_order() -> None:
    """Routes are named after handler and method; stacked decorators count up from the lowest; bases come first."""

    class Base(Handler):
        @command("one")
        async def one(self, ctx: Context) -> None: ...

    class Both(Base):
        @hook.post("/three")
        @hear("tw")
        @command("two")
        def two(self, ctx: Context) -> None: ...

    names = [(route.name, type(route)) for route in bind(Both())]
    assert names == [
        ("both.one", ChatRoute),
        ("both.two", ChatRoute),
        ("both.two-2", ChatRoute),
        ("both.two-3", HookRoute),
    ]


def test_what_a_class_overrides_is_what_it_says_last() -> None:
    """With another declaration, or with none; the route keeps the place of the first."""

    class Base(Handler):
        @command("one")
        async def one(self, ctx: Context) -> None: ...
        @command("two")
        async def two(self, ctx: Context) -> None: ...
        @command("three")
        async def three(self, ctx: Context) -> None: ...

    class Derived(Base):
        async def two(self, ctx: Context) -> None: ...
        @command("uno")
        async def one(self, ctx: Context) -> None: ...

    routes = [route for route in bind(Derived()) if isinstance(route, ChatRoute)]
    assert [(route.name, route.usage.line) for route in routes] == [
        ("derived.one", "uno"),
        ("derived.three", "three"),
    ]


def test_nothing_is_evaluated_that_declares_nothing() -> None:
    """A property may need what there is only later."""

    class Lazy(Handler):
        @property
        def connection(self) -> str:
            raise AssertionError("too early")

        @command("go")
        async def go(self, ctx: Context) -> None: ...

    assert [route.name for route in bind(Lazy())] == ["lazy.go"]


def test_what_can_be_given_by_name_only_is_an_option_of_a_command() -> None:
    """Unless the pattern gives it; those without a default must be given, and help shows them."""

    class Ships(Handler):
        @command(r"ship (?P<app>\w+)")
        async def ship(self, ctx: Context, *, app: str, dry_run: bool = False, to: str) -> None: ...

        @command("sink", help="sink [--fast] -- do that")
        async def sink(self, ctx: Context, *, fast: bool = False) -> None: ...

    ship, sink = bind(Ships())
    assert isinstance(ship, ChatRoute)
    assert isinstance(sink, ChatRoute)
    assert ship.options is not None
    assert ship.options.usage == "[--dry-run] --to TO"
    assert ship.usage.line == "ship APP [--dry-run] --to TO"
    assert ship.kinds == {"app": str, "dry_run": bool, "to": str}
    assert sink.usage.line == "sink [--fast]"


def test_what_is_only_heard_has_no_options() -> None:
    """Nobody speaks to the bot, so nobody gives any."""

    class Ears(Handler):
        @hear("tea")
        async def tea(self, ctx: Context, *, fast: bool = False) -> None: ...

    class Deaf(Handler):
        @hear("tea")
        async def tea(self, ctx: Context, *, fast: bool) -> None: ...

    (route,) = bind(Ears())
    assert isinstance(route, ChatRoute)
    assert route.options is None
    refused(Deaf(), "nothing supplies 'fast'")


def test_schedules_of_one_method_know_whose_they_are() -> None:
    """Their routes are numbered, and what is due is called after the method."""

    class Clock(Handler):
        @every("daily 09:00")
        @every("daily 18:00")
        async def ring(self, ctx: Context) -> None: ...

    routes = [route for route in bind(Clock()) if isinstance(route, JobRoute)]
    assert [(route.name, route.method) for route in routes] == [
        ("clock.ring", "clock.ring"),
        ("clock.ring-2", "clock.ring"),
    ]


def test_middleware_is_a_route_of_its_own() -> None:
    """A class that has nothing else is a handler."""

    class Extension(Handler):
        @middleware.receive
        def listen(self, message: Message) -> Message | None: ...

    (route,) = bind(Extension())
    assert isinstance(route, MiddlewareRoute)
    assert (route.name, route.point) == ("extension.listen", "receive")


def test_events_are_read_as_the_method_wants_them() -> None:
    """Or not at all, where it wants nothing; there is one thing to want."""

    class Watch(Handler):
        @on("deployed")
        async def one(self, ctx: Context, body: Body) -> None: ...
        @on("deployed")
        async def none(self, ctx: Context) -> None: ...

    class Greedy(Handler):
        @on("deployed")
        async def two(self, ctx: Context, one: str, two: str) -> None: ...

    one, none = (route for route in bind(Watch()) if isinstance(route, EventRoute))
    event = Event("E1", "deployed", 0.0, body='{"app":"web"}')
    assert one.read(event) == {"body": Body("web")}
    assert none.read(event) == {}
    refused(Greedy(), "only one of one, two can be the data")


def test_missing_group() -> None:
    """A parameter that nothing supplies is refused."""

    class Bad(Handler):
        @command(r"deploy (?P<app>\S+)")
        async def go(self, ctx: Context, app: str, where: str) -> None: ...

    refused(
        Bad(), "nothing supplies 'where'; add (?P<where>...) to the pattern or give it a default"
    )


def test_missing_parameter() -> None:
    """A group that no parameter takes is refused."""

    class Bad(Handler):
        @command(r"deploy (?P<app>\S+)")
        async def go(self, ctx: Context) -> None: ...

    refused(Bad(), "the pattern's group 'app' has no parameter; add app: str")


def test_unneeded_annotations_are_not_resolved() -> None:
    """Names that exist for type checkers only do no harm where nothing is converted."""

    class Some(Handler):
        @command("x")
        async def go(self, ctx: Context, cost: Decimal | None = None) -> None: ...

    assert bind(Some())


def test_path_variables() -> None:
    """A path's variable needs a parameter, and is a str."""

    class Missing(Handler):
        @hook.post("/<app>")
        async def go(self, ctx: Context) -> None: ...

    class Number(Handler):
        @hook.post("/<app>")
        async def go(self, ctx: Context, app: int) -> None: ...

    refused(Missing(), "the path's <app> has no parameter; add app: str")
    refused(Number(), "app comes from the path, so it is a str")


def test_two_bodies() -> None:
    """There is one body."""

    class Bad(Handler):
        @hook.post("/x")
        async def go(self, ctx: Context, one: str, two: str) -> None: ...

    refused(Bad(), "only one of one, two can be the body")


def test_impossible_body() -> None:
    """A body cannot become an arbitrary object."""

    class Bad(Handler):
        @hook.post("/x")
        async def go(self, ctx: Context, body: Opaque) -> None: ...

    class Worse(Handler):
        @hook.post("/x")
        async def go(self, ctx: Context, body: int | Body | dict[str, int]) -> None: ...

    refused(Bad(), "annotate it with a msgspec.Struct")
    refused(Worse(), "a body cannot become body")


def test_impossible_jobs() -> None:
    """A schedule has nothing to give, and a job one thing."""

    class Needy(Handler):
        @every("5m")
        async def go(self, ctx: Context, data: str) -> None: ...

    class Greedy(Handler):
        @job
        async def go(self, ctx: Context, one: str, two: str) -> None: ...

    class Odd(Handler):
        @job
        async def go(self, ctx: Context, data: Opaque) -> None: ...

    refused(Needy(), "a schedule gives no data; give data a default")
    refused(Greedy(), "only one of one, two can be the data")
    refused(Odd(), "the data cannot become data")


def test_nothing_declared() -> None:
    """A handler without routes is a mistake."""

    class Idle(Handler):
        def helper(self) -> None: ...

    refused(Idle(), "declares no route; put @command, @hear, @hook or @every on a method")


def test_bad_name() -> None:
    """A handler's name is part of ids and of the settings, so it is plain."""

    class Bad(Handler):
        name = "a/b"

    refused(Bad(), "'a/b' is no handler name")


def test_a_hook_without_its_secret_does_not_load() -> None:
    """Rather than stand open."""

    class Signed(Handler):
        secret = ""

        @hook.post("/signed", signature="hmac")
        async def signed(self, ctx: Context) -> None: ...

    refused(Signed(), "self.secret holds no secret")


def refused(handler: Handler, reason: str) -> None:
    """Check that a handler is refused with its class's name and a reason."""
    with pytest.raises(HandlerError) as caught:
        bind(handler)
    assert type(handler).__qualname__ in str(caught.value)
    assert reason in str(caught.value)
