"""The pages keep their word: what they link to, name and show is there, and works."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import click
import pytest

from hachat.bot.binding import bind
from hachat.bot.handler import Handler
from hachat.bot.handlers.about import About
from hachat.bot.handlers.auth import Auth
from hachat.bot.handlers.chores import Chores
from hachat.bot.handlers.cluster import Cluster
from hachat.bot.handlers.help import Help
from hachat.bot.handlers.info import Info
from hachat.bot.handlers.people import People
from hachat.bot.handlers.ping import Ping
from hachat.bot.handlers.presence import Presence
from hachat.bot.handlers.stepdown import StepDown
from hachat.bot.routes import ChatRoute
from hachat.cli.commands import main
from tests.bot.stage import Stage

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|/)hachat ([a-z][a-z-]*)(.*)")
BUILTINS: tuple[type[Handler], ...] = (
    *(About, Auth, Chores, Cluster, Help),
    *(Info, People, Ping, Presence, StepDown),
)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """What a page links to within the project is there, down to the heading."""
    for target in LINK.findall(BLOCK.sub("", page.read_text())):
        link = urlsplit(target)
        if link.scheme:
            continue
        file = (page.parent / link.path).resolve() if link.path else page
        assert file.exists(), target
        assert not link.fragment or link.fragment in anchors(file), target


@each_page
def test_no_merge_was_left_half_done(page: Path) -> None:
    """A page says one thing, and not what two branches said."""
    assert not re.search(r"^(<<<<<<<|=======|>>>>>>>)", page.read_text(), re.MULTILINE)


def test_the_index_lists_every_page() -> None:
    """Whoever starts at the index finds everything."""
    index = ROOT / "docs" / "index.md"
    listed = {(index.parent / target).resolve() for target in LINK.findall(index.read_text())}
    assert {page for page in PAGES if page != index} <= listed


@each_page
def test_no_page_shows_two_versions_of_itself(page: Path) -> None:
    """A merge that nobody finished is not for readers."""
    assert not re.search(r"^(<{7}|={7}|>{7})( |$)", page.read_text(), re.MULTILINE)


@each_page
def test_commands_exist(page: Path) -> None:
    """A page names only commands there are, in a shell or in chat, and only options they take."""
    for code in snippets(page):
        if found := COMMAND.search(code):
            name, arguments = found.groups()
            known = main.get_command(click.Context(main), name)
            assert known or name in chat_words(), code
            if isinstance(known, click.Group) and (words := arguments.split()):
                known = known.commands.get(words[0])
                assert known or words[0].startswith("-"), code
            for option in re.findall(r" (--?[a-z][a-z-]*)", arguments):
                assert option in options(known), code


@each_page
def test_make_targets_exist(page: Path) -> None:
    """A page names only targets there are."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for code in snippets(page):
        if found := re.match(r"make ([a-z]+)", code):
            assert found[1] in targets, code


@each_page
def test_files_exist(page: Path) -> None:
    """A file of ours that a page names, such as the test that shows a promise, is there."""
    for code in snippets(page):
        if re.fullmatch(r"(tests|hachat|examples|docs)/[\w./-]+", code):
            assert (ROOT / code).exists(), code


def test_every_promise_names_its_test() -> None:
    """In the tables of promises each row ends with a test."""
    promised = (ROOT / "docs" / "guarantees.md").read_text().split("\n## ")[2]
    rows = [
        line for line in promised.splitlines() if line.startswith("| ") and "shown by" not in line
    ]
    assert len(rows) > 10
    assert [row for row in rows if "`tests/" not in row.rsplit(" | ", 1)[-1]] == []


def test_every_dependency_has_its_reason() -> None:
    """The list of dependencies is that of the project."""
    page = (ROOT / "docs" / "decisions" / "0007-dependencies.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["embedded"]]
    assert sorted(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == sorted(
        re.split(r"[<>=\[]", requirement)[0] for requirement in needed
    )


def test_the_example_of_the_readme_is_the_example() -> None:
    """The handler that the README shows is the file that it names."""
    assert blocks(README, "python") == [(ROOT / "examples" / "greeter.py").read_text()]


async def test_the_examples_of_the_readme_run() -> None:
    """The handler does what the README says it does."""
    stage = Stage(*make_handlers(*blocks(README, "python")))
    (talk,) = blocks(README, "chat")
    lines = [line.split(": ", 1) for line in talk.splitlines()]
    for (_, said), (_, answer) in zip(lines[::2], lines[1::2], strict=True):
        assert await stage.say(said) == [answer]


def anchors(page: Path) -> set[str]:
    """Return what the headings of `page` may be linked to by."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return [text for found, text in BLOCK.findall(page.read_text()) if found == language]


def snippets(page: Path) -> Iterator[str]:
    """Return what stands in backticks on `page`, and each line to be typed into a shell."""
    text = page.read_text()
    yield from re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    for block in blocks(page, "sh"):
        yield from (line.strip() for line in block.splitlines())
    for block in blocks(page, "console"):
        yield from (line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ "))


def options(known: click.Command | None) -> list[str]:
    """Return the options a command takes, or any of those below it."""
    below = list(known.commands.values()) if isinstance(known, click.Group) else []
    parameters = [each for command in (known, *below) if command for each in command.params]
    return ["--help", "-h", *(name for parameter in parameters for name in parameter.opts)]


def chat_words() -> set[str]:
    """Return the first words of what the built-in handlers and the example obey in chat."""
    example = make_handlers((ROOT / "examples" / "greeter.py").read_text())
    handlers = [*(handler.__new__(handler) for handler in BUILTINS), *example]
    routes = [route for handler in handlers for route in bind(handler)]
    return {route.usage.line.split()[0] for route in routes if isinstance(route, ChatRoute)}


def make_handlers(*sources: str) -> Iterator[Handler]:
    """Return one of each handler that the sources define."""
    for source in sources:
        module = ModuleType("example")
        exec(compile(source, "example", "exec"), vars(module))
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Handler) and value is not Handler:
                yield value()
