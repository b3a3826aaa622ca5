"""`hachat memory`: how much handlers remember, as it is shown."""

from __future__ import annotations

import json

from rich.console import Console

from hachat.cli.memory import render
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.memory import MAX_KEYS, Change, Memory, Size
from tests.cli.running import Place


async def remember(link: Link, keys: Keys) -> None:
    """Have two handlers remember something."""
    memory = Memory(link, keys)
    await memory.change("karma", Change("ada", "set", b"12"))
    await memory.change("karma", Change("bob", "set", b"1"))
    await memory.change("todo", Change("x", "set", b"[]"))


def test_sizes_are_shown(place: Place) -> None:
    """Each handler has a line, and JSON says the same."""
    place.do(remember)

    shown, told = place.run("memory"), place.run("memory", "--json")

    assert shown.exit_code == 0, shown.output
    assert [line.split()[:3] for line in shown.stdout.splitlines()[1:]] == [
        ["karma", "2", "9"],
        ["todo", "1", "3"],
    ]
    assert json.loads(told.stdout)[0] == {"handler": "karma", "keys": 2, "bytes": 9}


def test_nothing_is_remembered(place: Place) -> None:
    """That is told in words."""
    assert place.run("memory").stdout == "no handler remembers anything\n"


def test_who_is_near_the_limit_can_be_seen() -> None:
    """The share is that of whichever limit is nearer."""
    console = Console(width=80, record=True)
    console.print(render([Size("karma", MAX_KEYS // 2, 10)]))
    assert "50%" in console.export_text()
