"""Which routes a text is for."""

from __future__ import annotations

import re
import time
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.bot.arguments import Kind
from hachat.bot.constraints import Constraints
from hachat.bot.description import Usage
from hachat.bot.options import Options
from hachat.bot.patterns import Pattern
from hachat.bot.router import MAX_TEXT, Router, find_first_word, find_literal
from hachat.bot.routes import ChatRoute
from hachat.core.addressing import Addressing
from hachat.core.messages import Room

ADDRESSING = Addressing("hachat")


def route(
    pattern: str, *, addressed: bool = True, kinds: dict[str, type] | None = None, **more: Any
) -> ChatRoute:
    """Return a route with a method of its own."""
    regex = Pattern(pattern, whole=addressed)
    return ChatRoute(
        pattern,
        "test",
        lambda: None,
        regex,
        addressed,
        Usage(pattern),
        kinds=cast(dict[str, Kind], kinds or {}),
        **more,
    )


def names(routes: list[ChatRoute], text: str) -> list[str]:
    """Return the names of the routes that `text` is for."""
    address = ADDRESSING.read(text)
    return [match.route.name for match in Router(routes).match(text, address)]


def test_commands_match_whole() -> None:
    """A command describes everything the bot is told, in any case."""
    routes = [route("deploy web"), route(r"deploy .+")]
    assert names(routes, "hachat DEPLOY web") == ["deploy web", "deploy .+"]
    assert names(routes, "hachat deploy web now") == ["deploy .+"]
    assert names(routes, "hachat please deploy web") == []
    assert names(routes, "deploy web") == []


def test_blanks_are_one_blank() -> None:
    """Nobody means anything by a second one, or by one that does not break; a pattern that wants them has them."""
    routes = [route("auth list"), route("note  (?P<text>.+)", kinds={"text": str})]
    for text in ("auth  list", "auth\tlist", "auth\N{NO-BREAK SPACE}list"):
        assert names(routes, f"hachat {text}") == ["auth list"]
    assert names(routes, "hachat note  a") == ["note  (?P<text>.+)"]
    assert names(routes, "hachat auth\nlist") == []


def test_what_a_method_needs_must_be_said() -> None:
    """A group that may be left out, of a parameter without a default, is a fault that is told."""
    routes = [route(r"opt( (?P<a>\w+))?", kinds={"a": str}, needed=frozenset("a"))]
    (match,) = Router(routes).match("hachat opt", ADDRESSING.read("hachat opt"))
    assert match.fault == "A needs a value."


def test_hears_match_anywhere() -> None:
    """What is heard may stand anywhere, addressed or not."""
    routes = [route("coffee", addressed=False)]
    assert names(routes, "more Coffee please") == ["coffee"]
    assert names(routes, "hachat coffee") == ["coffee"]
    assert names(routes, "tea") == []


def test_every_match_runs() -> None:
    """All routes that match are returned, commands first."""
    routes = [route("p.ng", addressed=False), route("ping"), route("p.+"), route("pong")]
    assert names(routes, "hachat ping") == ["ping", "p.+", "p.ng"]


def test_a_method_runs_once() -> None:
    """Patterns of one method are alternatives: the first that matches supplies the arguments."""
    first = route("ping")
    second = ChatRoute(
        "second", "test", first.call, Pattern("p.+", whole=True), addressed=True, usage=Usage("")
    )
    assert names([first, second], "hachat ping") == ["ping"]
    assert names([first, second], "hachat pong") == ["second"]


def test_faults() -> None:
    """Values that do not convert are told only if no other command matches, and never for what was heard."""
    number = route(r"wait (?P<n>\S+)", kinds={"n": int})
    other = route(r"wait (?P<m>\S+)", kinds={"m": int})
    heard = route(r"wait (?P<n>\S+)x", addressed=False, kinds={"n": int})
    (match,) = Router([number, other, heard]).match(
        "hachat wait abcx", ADDRESSING.read("hachat wait abcx")
    )
    assert (match.route, match.fault) == (number, 'n must be a whole number, not "abcx".')
    assert names([number, route("wait forever")], "hachat wait forever") == ["wait forever"]


def test_long_texts() -> None:
    """A longer command matches nothing, and of a longer text only the beginning is heard."""
    routes = [route("say .+"), route("z.*y", addressed=False)]
    assert names(routes, "hachat say " + "x" * MAX_TEXT) == []
    assert names(routes, "z" + "x" * (MAX_TEXT - 2) + "y") == ["z.*y"]
    assert names(routes, "z" + "x" * (MAX_TEXT - 1) + "y") == []


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("ping", "ping"),
        (r"Deploy (?P<app>\S+)", "deploy"),
        (r"deploy\s+(?P<where>staging|production)", "deploy"),
        (r"log in [(]|)]", ""),
        ("step-down", "step-down"),
        ("ping|pong", ""),
        (r"a b|c", ""),
        (r"a [\](]|x[)]", ""),
        (r"a \|b", "a"),
        ("a [|]", "a"),
        ("deploy ?x", ""),
        ("deploy *x", ""),
        (r"deploy\s*x", ""),
        ("deploy(s)?", ""),
        ("pings? now", ""),
        ("(?x) p ing", ""),
        (".+", ""),
    ],
)
def test_first_word(pattern: str, word: str) -> None:
    """Only a word that every match must start with counts."""
    assert find_first_word(pattern) == word


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        ("coffee", "coffee"),
        (r"\bTICKET-\d+", "ticket-"),
        ("abc*", ""),
        ("abc?d", ""),
        ("abc{0}", ""),
        ("abc+", "abc"),
        ("a|b", ""),
        ("(?:a)b", ""),
        (r"ab\.c", "ab"),
    ],
)
def test_literal(pattern: str, literal: str) -> None:
    """Only characters that every match must contain count."""
    assert find_literal(pattern) == literal


PIECES = [
    "a",
    "b",
    " ",
    "|",
    "(",
    ")",
    "(?:",
    "[a|]",
    "[^b(]",
    r"\(",
    r"\|",
    "?",
    "*",
    "+",
    "{0}",
    r"\s+",
    r"\b",
    "-",
]


@given(
    st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join), max_size=5),
    st.text("ab |()-", max_size=8),
)
def test_shortcuts_change_nothing(patterns: list[str], said: str) -> None:
    """Finding routes by word or literal finds exactly what trying them all would."""
    valid = [pattern for pattern in patterns if compiles(pattern)]
    routes = [route(p) for p in valid] + [route(p, addressed=False) for p in valid]
    text = f"hachat {said}"
    command = said.strip()
    tried = [r for r in routes if r.addressed and r.pattern.find(command)]
    tried += [r for r in routes if not r.addressed and r.pattern.find(text)]
    found = [match.route for match in Router(routes).match(text, ADDRESSING.read(text))]
    assert sorted(map(id, found)) == sorted(map(id, tried))


def compiles(pattern: str) -> bool:
    """Tell whether `pattern` is a regular expression."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """No text breaks it."""
    routes = [route(r"deploy (?P<app>\S+)"), route(".+"), route("coffee", addressed=False)]
    Router(routes).match(text, ADDRESSING.read(text, private=True))


def test_a_thousand_routes_are_cheap() -> None:
    """A message finds its way among a thousand routes in well under a millisecond."""
    router = Router(
        [route(rf"command{n} (?P<app>\S+)", kinds={"app": str}) for n in range(900)]
        + [route(rf"\bword{n}\b", addressed=False) for n in range(100)]
    )
    text = "hachat command500 web"
    start = time.perf_counter()
    for _ in range(200):
        assert router.match(text, ADDRESSING.read(text))
    assert (time.perf_counter() - start) / 200 < 0.0005


def test_rooms() -> None:
    """A route that is for some rooms is not there in others."""
    ops = route("ping", constraints=Constraints(rooms=("irc/#OPS*", "den")))
    hears = route("tea", addressed=False, constraints=Constraints(rooms=("*/#kitchen", "*/#[1]")))

    def find(text: str, room: Room | None) -> list[str]:
        found = Router([ops, hears]).match(text, ADDRESSING.read(text), room)
        return [match.route.name for match in found]

    assert find("hachat ping", Room("irc", "#ops-night")) == ["ping"]
    assert find("hachat ping", Room("slack", "C1", "Den")) == ["ping"]
    assert find("hachat ping", Room("irc", "#other")) == []
    assert find("tea?", Room("irc", "#[1]")) == ["tea"]
    assert find("hachat ping", None) == []
    assert find("tea?", Room("irc", "#kitchen")) == ["tea"]
    assert find("tea?", Room("irc", "#ops")) == []


def test_priority_and_stop() -> None:
    """The highest priority comes first, and what stops leaves out all that come after it."""
    first = route("p.ng", addressed=False, constraints=Constraints(priority=1))
    last = route("pi.+", constraints=Constraints(priority=-1))
    stop = route("pin.", constraints=Constraints(stop=True))

    assert names([last, route("ping"), first], "hachat ping") == ["p.ng", "ping", "pi.+"]
    assert names([last, stop, route("ping"), first], "hachat ping") == ["p.ng", "pin."]
    assert names([last, stop, route("ping"), first], "hachat pang") == ["p.ng"]


def test_what_does_not_convert_stops_nothing() -> None:
    """A command that cannot be run gives way, whatever its priority."""
    stop = route(
        r"wait (?P<n>\S+)", kinds={"n": int}, constraints=Constraints(priority=9, stop=True)
    )
    other = route(r"wait (?P<m>\w+)", kinds={"m": str})

    assert names([stop, other], "hachat wait long") == [r"wait (?P<m>\w+)"]


def test_options_may_come_first() -> None:
    """A command is found though an option stands before its first word."""
    deploy = route("deploy web", options=Options({"force": bool}))

    assert names([route("ping"), deploy], "hachat --force deploy web") == ["deploy web"]
    assert names([deploy], "hachat deploy --force web") == ["deploy web"]
    assert names([deploy], "hachat deploy web extra --force") == []


def test_a_slow_pattern_is_told_of() -> None:
    """Whoever told the bot something learns that it took too long; the message goes on to the other routes."""
    slow, other = route(r"(a+)+b"), route(r"a+c")
    heard = route(r"(a+)+d", addressed=False)
    text = f"hachat {'a' * 3000}"

    (match,) = Router([slow, heard]).match(text, ADDRESSING.read(text))

    assert match.route is slow
    assert "takes too long" in match.fault
    assert names([slow, other, heard], f"{text}c") == ["a+c"]
