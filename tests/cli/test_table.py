"""How times and a cluster are written for people."""

from __future__ import annotations

import pytest
from msgspec import structs
from rich.console import Console

from hachat.cli.health import SILENT, assess
from hachat.cli.table import format_span, render
from tests.cli.test_health import node, status


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3_725, "1 h 2 min"),
        (90_000, "1 d 1 h"),
        (-3, "0 s"),
    ],
)
def test_spans_have_at_most_two_units(seconds: float, text: str) -> None:
    """A span is written in its largest unit and the next."""
    assert format_span(seconds) == text


def test_the_table_shows_every_node_and_every_fault() -> None:
    """Names, roles, addresses that do not answer, and the reasons below."""
    health = assess(
        status(node("n1", "master", irc="connected"), node("n2", "dead")), {"n1": SILENT}
    )
    console = Console(width=160)
    with console.capture() as capture:
        console.print(render(health))

    shown = capture.get()
    assert "cluster c: degraded" in shown
    assert "n1" in shown
    assert "(no answer)" in shown
    assert "irc connected" in shown
    assert "! n2 is dead" in shown


def test_the_table_tells_what_is_full_and_what_was_cut() -> None:
    """Dead letters that were cut are counted; each warning is a line of its own, in which nothing steers the terminal."""
    seen = structs.replace(
        status(node("n1", "master")),
        dead_letters=10_000,
        dead_cut=7,
        full=["t/\x1b[2J is full"],
        warnings=["nearly [red]"],
    )
    console = Console(width=160)
    with console.capture() as capture:
        console.print(render(assess(seen, {})))

    shown = capture.get()
    assert "dead letters 10000 (7 were cut)" in shown
    assert r"! t/\x1b[2J is full" in shown
    assert "! nearly [red]" in shown


def test_doubts_are_shown_once_there_are_any() -> None:
    """The line about the queues tells of replies in doubt, and is silent while there are none."""

    def show(doubts: int) -> str:
        view = structs.replace(status(node("n1", "master")), doubts=doubts)
        console = Console(width=160)
        with console.capture() as capture:
            console.print(render(assess(view, {})))
        return capture.get()

    assert "in doubt so far 2" in show(2)
    assert "in doubt" not in show(0)
