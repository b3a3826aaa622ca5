"""docs/handlers.md and its neighbours keep their word: every example is run, and says what it is said to say."""

from __future__ import annotations

import inspect
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from hachat.bot.handler import Handler
from hachat.bot.loading import load
from tests.bot.stage import Stage

ROOT = Path(__file__).parents[2]
PAGES = ("handlers", "routing", "dialogs")
SECTIONS = {
    f"{page}: {part.partition(chr(10))[0]}": part
    for page in PAGES
    for part in (ROOT / "docs" / f"{page}.md").read_text().split("\n## ")[1:]
}

_numbers = itertools.count()


@pytest.mark.parametrize("title", [title for title, part in SECTIONS.items() if "```chat" in part])
async def test_transcript(title: str) -> None:
    """The conversation shown in a section is the one its handlers have."""
    stage = Stage(*make_handlers(SECTIONS[title]))
    said, expected = blocks(SECTIONS[title], "chat"), []
    for line in "\n".join(said).splitlines():
        if not line.startswith(("hachat", "refused")):
            expected += [line, *await perform(stage, line)]
    assert "\n".join(expected) == "\n".join(said).strip()


async def test_greeter() -> None:
    """The smallest example loads by name and does what the guide shows."""
    plugins = load([], folder=ROOT / "examples", sections={"github": {"secret": "hush"}})
    assert not plugins.faults
    stage = Stage(*plugins.handlers.values())
    assert await stage.say("hachat greet ada") == ["Hello, ada!"]


async def perform(stage: Stage, line: str) -> list[str]:
    """Say or send what a line of a transcript says, and return the lines that answer it."""
    before = len(stage.replies)
    who, _, what = line.partition(" ")
    if line == "LATER":
        return [f"hachat: {text}" for text in await stage.lapse()]
    if who.endswith(":"):
        await stage.say(what, user=who.removesuffix(":"))
    elif who == "DUE":
        route, _, data = what.partition(" ")
        await stage.fire(route, msgspec.Raw(data.encode()) if data else None)
    elif who == "EVENT":
        event, _, data = what.partition(" ")
        await stage.happen(event, msgspec.Raw(data.encode()) if data else None)
    else:
        path, _, body = what.partition(" ")
        try:
            await stage.request(who, path, msgspec.Raw(body.encode()))
        except ValueError as error:
            return [f"refused: {error}"]
    return [
        f"hachat: {reply.text}"
        if reply.room == "test/#room"
        else f"hachat in {reply.room}: {reply.text}"
        for reply in stage.replies[before:]
    ]


def make_handlers(section: str) -> Iterator[Handler]:
    """Return one of each handler a section defines."""
    for code in blocks(section, "python"):
        for value in vars(run_module(code)).values():
            if inspect.isclass(value) and issubclass(value, Handler) and value is not Handler:
                yield value(*([fill_in(value.Settings)] if value.Settings else []))


def fill_in(settings: type[msgspec.Struct]) -> msgspec.Struct:
    """Return settings of which those that have no default are some text."""
    asked = [field for field in msgspec.structs.fields(settings) if field.required]
    return msgspec.convert({field.encode_name: "hush" for field in asked}, settings)


def run_module(code: str) -> ModuleType:
    """Run `code` as a module of its own."""
    module = ModuleType(f"guide_{next(_numbers)}")
    sys.modules[module.__name__] = module
    exec(compile(code, module.__name__, "exec"), vars(module))
    return module


def blocks(section: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
