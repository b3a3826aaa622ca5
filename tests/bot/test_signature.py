"""What a method wants to be given, and what it cannot want."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hachat import Context
from hachat.bot.signature import Signature
from hachat.core.errors import HandlerError

if TYPE_CHECKING:
    from decimal import Decimal


class Event(msgspec.Struct):
    """What a body may become."""

    app: str


class Opaque:
    """What it may not."""


def hide(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method so that it does not look like what it is."""

    @wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


class Deploy:
    """Methods as authors write them, the good and the bad."""

    async def ship(
        self,
        ctx: Context,
        app: str,
        times: int | None = None,
        *rest: str,
        ratio: float = 1.0,
        event: Event,
        **more: str,
    ) -> None:
        """Take what text can become, and things that are no parameters."""

    async def take(
        self, ctx: Context, text: str, raw: bytes, *, some: Any, many: list[Event], odd: Opaque
    ) -> None:
        """Take what a body can become, and what not."""

    async def bare(self, ctx, app):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Say nothing about types."""

    async def cost(self, ctx: Context, price: Decimal, app: str) -> None:
        """Use a name that exists for type checkers only."""

    async def mix(self, ctx: Context, either: int | str, lists: list[str]) -> None:
        """Take what text cannot become."""

    async def nothing(self) -> None:
        """Take no context."""

    async def by_name(self, *, ctx: Context) -> None:
        """Take the context by name only."""

    @hide
    async def hidden(self, ctx: Context) -> None:
        """Be async, and not look like it."""

    @hide
    def plain(self, ctx: Context) -> None:
        """Be what it looks like."""


def of(name: str) -> Signature:
    """Return what one of the methods wants."""
    return Signature(getattr(Deploy(), name))


def test_parameters_are_those_behind_the_context() -> None:
    """In their order; those that collect whatever is left are none."""
    assert of("ship").names == ["app", "times", "ratio", "event"]
    assert of("plain").names == []


def test_a_default_makes_a_parameter_optional() -> None:
    """Nothing else does, not even that it may be None."""
    ship = of("ship")

    assert [ship.is_optional(name) for name in ship.names] == [False, True, True, False]


@pytest.mark.parametrize(
    ("method", "name", "kind"),
    [
        ("ship", "app", str),
        ("ship", "times", int),
        ("ship", "ratio", float),
        ("bare", "app", str),
        ("cost", "app", str),
    ],
)
def test_text_becomes_what_the_annotation_says(method: str, name: str, kind: type) -> None:
    """`int | None` counts as int, no annotation as str; what stands at other parameters does no harm."""
    assert of(method).read_kind(name) is kind


@pytest.mark.parametrize(("name", "kind"), [("either", "int | str"), ("lists", "list[str]")])
def test_text_becomes_nothing_else(name: str, kind: str) -> None:
    """The author hears which method, which parameter and what was written there."""
    with pytest.raises(HandlerError) as caught:
        of("mix").read_kind(name)

    assert str(caught.value) == (
        f"Deploy.mix: {name} must be one of str, int, float, bool, Duration, User, Room, not {kind}"
    )


@pytest.mark.parametrize(
    ("name", "body", "value"),
    [
        ("text", b'"x"', '"x"'),
        ("raw", b"\xff", b"\xff"),
        ("some", b'{"app": 1}', {"app": 1}),
        ("many", b'[{"app": "web"}]', [Event("web")]),
    ],
)
def test_a_body_becomes_what_the_annotation_says(name: str, body: bytes, value: object) -> None:
    """Text and bytes are the body as it came, everything else is read from JSON."""
    assert of("take").read_decoder(name)(body) == value


def test_without_an_annotation_a_body_is_any_json() -> None:
    """Whoever wants it checked says as what."""
    assert of("bare").read_decoder("app")(b"[1]") == [1]


def test_what_json_cannot_become_is_refused() -> None:
    """Before the first request, and with what to write instead."""
    with pytest.raises(HandlerError, match=r"Deploy\.take: the data cannot become odd.*Struct"):
        of("take").read_json("odd", "the data")


def test_an_annotation_for_type_checkers_only_is_named() -> None:
    """Where it is needed it has to exist."""
    with pytest.raises(HandlerError, match=r"cannot tell what price: Decimal is.*TYPE_CHECKING"):
        of("cost").read_kind("price")


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("nothing", "the first parameter after self must be ctx: Context"),
        ("by_name", "the first parameter after self must be ctx: Context"),
        ("hidden", "a decorator hides that it is async"),
    ],
)
def test_a_method_that_cannot_be_called_is_refused(method: str, reason: str) -> None:
    """One that takes no context, and one that would be run in a thread although it is async."""
    with pytest.raises(HandlerError) as caught:
        of(method)

    assert f"Deploy.{method}: {reason}" in str(caught.value)
