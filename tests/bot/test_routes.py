"""From a class to its routes, and everything the two can disagree about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat import Context, Handler, command, every, hear, hook, job
from hachat.bot.binding import bind
from hachat.bot.quoting import shorten
from hachat.bot.routes import ChatRoute, HookRoute, JobRoute
from hachat.core.errors import Unsigned
from hachat.core.signatures import sign

if TYPE_CHECKING:
    pass


class Event(msgspec.Struct):
    """A body."""

    app: str
    count: int = 0


def read(route: Any, text: str) -> dict[str, object]:
    """Return the arguments that `text` gives to a route."""
    assert isinstance(route, ChatRoute)
    found = route.pattern.find(text)
    assert found is not None
    return route.read(found)


def test_arguments_are_converted() -> None:
    """A named group becomes what its parameter is annotated as; a group that took no part is left out."""

    class Some(Handler):
        @command(r"(?P<a>\S+) (?P<b>\S+) (?P<c>\S+)( (?P<d>\S+))?")
        async def go(
            self, ctx: Context, a: str, b: int, c: float, d: int | None = None
        ) -> None: ...

    (route,) = bind(Some())
    assert read(route, "x 2 1.5") == {"a": "x", "b": 2, "c": 1.5}
    assert read(route, "x -2 1e3 7") == {"a": "x", "b": -2, "c": 1000.0, "d": 7}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1.5 1", 'b must be a whole number, not "1.5".'),
        (f"{'9' * 5000} 1", f'b must be a whole number, not "{"9" * 39}…".'),
        ("1 x", 'c must be a number, not "x".'),
        ("1 nan", 'c must be a number, not "nan".'),
        ("1 -inf", 'c must be a number, not "-inf".'),
    ],
)
def test_values_that_do_not_convert(text: str, complaint: str) -> None:
    """The user is told which value was wrong, in a short sentence."""

    class Some(Handler):
        @command(r"(?P<b>\S+) (?P<c>\S+)")
        async def go(self, ctx: Context, b: int, c: float) -> None: ...

    with pytest.raises(ValueError, match="must be") as caught:
        read(bind(Some())[0], text)
    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    ("path", "body", "read"),
    [
        ("event", b'{"app": "web"}', Event("web")),
        ("mapping", b'{"a": 1}', {"a": 1}),
        ("anything", b"[1]", [1]),
        ("bare", b"[1]", [1]),
        ("text", "ä".encode(), "ä"),
        ("raw", b"raw", b"raw"),
    ],
)
def test_bodies(path: str, body: bytes, read: object) -> None:
    """A body becomes what the parameter is annotated as."""
    route = hooks()[path]
    route.check(body)
    assert route.read(body) == {"body": read}


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("event", b"{}", "missing required field `app`"),
        ("event", b'{"app": "web", "count": "x"}', r"Expected `int`, got `str` - at `\$.count`"),
        ("event", b"", "truncated"),
        ("anything", b"{", "truncated"),
        ("anything", b"[" * 100_000, "nested too deep"),
        ("text", b"\xff", "utf-8"),
        ("raw", b"\xff", "utf-8"),
        ("none", b"\xff", "utf-8"),
    ],
)
def test_bodies_that_are_refused(path: str, body: bytes, reason: str) -> None:
    """What the method could not be given is refused at the door, with the reason."""
    with pytest.raises(ValueError, match=reason):
        hooks()[path].check(body)


@given(st.binary())
def test_any_body(body: bytes) -> None:
    """No body does worse than be refused."""
    for route in hooks().values():
        try:
            route.check(body)
        except ValueError:
            continue


def test_no_body_wanted() -> None:
    """A method that takes no body does not look at it."""
    assert hooks()["none"].read(b"whatever") == {}


def hooks() -> dict[str, HookRoute]:
    """Return hooks with every kind of body, by their path."""

    class Some(Handler):
        @hook.post("/event")
        async def event(self, ctx: Context, body: Event) -> None: ...
        @hook.post("/mapping")
        async def mapping(self, ctx: Context, body: dict[str, Any]) -> None: ...
        @hook.put("/anything")
        async def anything(self, ctx: Context, body: Any) -> None: ...
        @hook.post("/bare")
        async def bare(self, ctx, body): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        @hook.patch("/text")
        async def text(self, ctx: Context, body: str) -> None: ...
        @hook.post("/raw")
        async def raw(self, ctx: Context, body: bytes) -> None: ...
        @hook.get("/none")
        async def none(self, ctx: Context) -> None: ...

    routes = [route for route in bind(Some()) if isinstance(route, HookRoute)]
    return {route.path[1:]: route for route in routes}


def test_jobs() -> None:
    """Each schedule is a route of its own, named after its method, and knows which data it takes."""

    class Watch(Handler):
        @every("weekdays 09:00", tz="Europe/Berlin")
        @every("5m", missed="skip")
        @hear("look")
        async def look(self, ctx: Context, event: Event | None = None) -> None: ...

        @job
        def ring(self, ctx: Context, times: int) -> None: ...

        @job
        def stop(self, ctx: Context) -> None: ...

        @job
        def take(self, ctx: Context, what: Any) -> None: ...

    jobs = [route for route in bind(Watch()) if isinstance(route, JobRoute)]
    five, nine, ring, stop, take = jobs
    assert [(route.name, route.method) for route in (five, nine, ring)] == [
        ("watch.look-2", "watch.look"),
        ("watch.look-3", "watch.look"),
        ("watch.ring", "watch.ring"),
    ]
    assert [route.schedule and route.schedule.text for route in (five, nine, ring)] == [
        *("5m", "weekdays 09:00", None),
    ]
    assert five.read("") == {}
    assert five.read('{"app":"web"}') == {"event": Event("web")}
    assert ring.read("3") == {"times": 3}
    assert stop.read("") == {}
    for route, data, complaint in (
        (ring, "", "needs data for times"),
        (ring, '"x"', "Expected `int`"),
        (stop, "1", "takes no data"),
        (take, "[" * 100_000, "nested too deep"),
    ):
        with pytest.raises(ValueError, match=complaint):
            route.read(data)


@given(st.text(max_size=200))
def test_shorten(text: str) -> None:
    """A quotation is one short line, whatever was said."""
    assert len(shorten(text)) <= 42
    assert "\n" not in shorten(text)


class Signed(Handler):
    """Takes signed requests only."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    @hook.post("/signed", signature="hmac")
    async def signed(self, ctx: Context) -> None:
        """Take one."""


def test_a_hook_knows_its_secret() -> None:
    """From the handler; it is not shown with the route."""
    (route,) = bind(Signed("key"))
    assert isinstance(route, HookRoute)
    route.authenticate({"x-signature-256": f"sha256={sign('key', b'x')}"}, b"x", 0.0)
    with pytest.raises(Unsigned):
        route.authenticate({}, b"x", 0.0)
    assert "'key'" not in repr(route)
