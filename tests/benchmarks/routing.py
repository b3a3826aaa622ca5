"""What it takes to find out what a message is for, among a thousand routes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

from hachat.bot.description import Usage
from hachat.bot.patterns import Pattern
from hachat.bot.router import Router
from hachat.bot.routes import ChatRoute
from hachat.core.addressing import Addressing

ROUNDS = 2000
COMMANDS = 900
WORDS = 100


def measure_routing() -> Iterator[tuple[str, float]]:
    """Yield kinds of messages, and the median of the seconds it takes to route one."""
    addressing = Addressing("hachat", ["!"])
    router = Router(_make_routes())
    for title, text in (
        ("a command", "hachat command500 web to staging"),
        ("a word that is heard", "has anybody seen ticket50-17 lately, or is it lost?"),
        ("chatter of 40 characters", "nothing of this is meant for anybody here"),
        ("chatter of 4,000 characters", "nothing of this is meant for anybody. " * 105),
    ):
        yield title, median(_time(router, addressing, text) for _ in range(ROUNDS))


def _make_routes() -> Iterator[ChatRoute]:
    patterns = [rf"command{n} (?P<app>\S+) to (?P<where>\w+)" for n in range(COMMANDS)]
    for pattern in patterns:
        yield _make_route(pattern, addressed=True)
    for number in range(WORDS):
        yield _make_route(rf"\bticket{number}-\d+\b", addressed=False)


def _make_route(text: str, *, addressed: bool) -> ChatRoute:
    pattern = Pattern(text, whole=addressed)
    kinds = dict.fromkeys(pattern.names, str)
    return ChatRoute(text, "benchmark", lambda: None, pattern, addressed, Usage(text), kinds=kinds)


def _time(router: Router, addressing: Addressing, text: str) -> float:
    began = time.perf_counter()
    router.match(text, addressing.read(text))
    return time.perf_counter() - began
