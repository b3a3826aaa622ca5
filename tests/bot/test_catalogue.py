"""The routes of a node by their names, and what it says of those that it has not."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import structlog

from hachat import Context, Handler, command, every, hear, hook, job, on
from hachat.bot.binding import bind
from hachat.bot.catalogue import Catalogue
from hachat.bot.handlers.ping import Ping
from hachat.core.errors import HandlerError


class Tea(Handler):
    """Makes tea.

    And more.
    """

    @command("brew", groups={"cooks"})
    async def brew(self, ctx: Context) -> None:
        """brew -- make tea"""

    @hear("tea")
    async def listen(self, ctx: Context) -> None:
        """Hear of tea."""

    @every("1h")
    async def look(self, ctx: Context) -> None:
        """Look at it."""

    @job
    async def ready(self, ctx: Context) -> None:
        """Tell."""

    @hook.post("/tea")
    async def ordered(self, ctx: Context) -> None:
        """Take an order."""

    @on("joined")
    async def welcome(self, ctx: Context) -> None:
        """Offer some."""


class Coffee(Handler):
    """Makes coffee"""

    @job
    async def ready(self, ctx: Context) -> None:
        """Tell."""


CATALOGUE = Catalogue([*bind(Tea()), *bind(Coffee())], "n1")


def test_routes_are_found_by_their_names() -> None:
    """Webhooks, and what becomes due: a schedule by its method, too, for that is what its jobs are called."""
    assert CATALOGUE.find_hook("tea.ordered").path == "/tea"
    assert CATALOGUE.find_due("coffee.ready").handler == "coffee"
    assert CATALOGUE.find_due("tea.look").schedule is not None
    assert [route.name for route in CATALOGUE.find_listeners("joined")] == ["tea.welcome"]
    assert CATALOGUE.find_listeners("parted") == []


def test_a_timer_means_a_method_of_its_own_handler() -> None:
    """Or one of another that it names."""
    assert CATALOGUE.find_job("tea", "ready").name == "tea.ready"
    assert CATALOGUE.find_job("tea", "coffee.ready").name == "coffee.ready"
    for unknown in ("brew", "coffee.look", "nothing"):
        with pytest.raises(LookupError, match="mark the method with @job"):
            CATALOGUE.find_job("tea", unknown)


@pytest.mark.parametrize("find", [CATALOGUE.find_hook, CATALOGUE.find_due])
def test_what_is_not_here_is_told_with_what_to_do(find: object) -> None:
    """Another node has it, so the nodes differ."""
    assert callable(find)
    with pytest.raises(HandlerError, match=r"node n1 has the route tea\.gone; load the same"):
        find("tea.gone")


def test_the_bot_can_tell_what_it_does() -> None:
    """Its handlers with the first line about each, and its commands with who may run them."""
    bot = CATALOGUE.describe("marvin", "en")
    assert (bot.name, bot.node, bot.handlers) == ("marvin", "n1", ("tea", "coffee"))
    assert [(topic.name, topic.purpose) for topic in bot.topics] == [
        ("tea", "Makes tea"),
        ("coffee", "Makes coffee"),
    ]
    (brew,) = bot.commands
    assert (brew.line, brew.route, brew.groups) == ("brew", "tea.brew", frozenset({"cooks"}))


_MODULE = """
from hachat import Handler, command


class Builds(Handler):
    \"\"\"Knows builds.\"\"\"

    @command("builds")
    async def list(self, ctx):
        \"\"\"builds -- list them\"\"\"
"""

_GERMAN = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"

msgid "Knows builds."
msgstr "Kennt Builds."

msgid "builds -- list them"
msgstr "builds -- zeigt sie"
"""


@pytest.fixture
def builds(tmp_path: Path) -> Handler:
    """A handler with a catalogue beside it."""
    (tmp_path / "builds.py").write_text(_MODULE)
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales" / "de.po").write_text(_GERMAN)
    spec = spec_from_file_location("catalogue_builds", tmp_path / "builds.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Handler = module.Builds()
    return handler


def test_handlers_are_described_in_the_language(builds: Handler) -> None:
    """Each by the catalogue beside it."""
    bot = Catalogue([*bind(Ping()), *bind(builds)], "n1").describe("hachat", "de")

    assert [topic.purpose for topic in bot.topics] == [
        "Antwortet, damit man sieht, dass jemand da ist",
        "Kennt Builds",
    ]
    assert [usage.explanation for usage in bot.commands] == ["prüft, ob ich da bin", "zeigt sie"]
    assert [usage.route for usage in bot.commands] == ["ping.ping", "builds.list"]


def test_one_broken_catalogue_takes_nothing_from_others(builds: Handler, tmp_path: Path) -> None:
    """Its handler is described in English, and the log says why."""
    (tmp_path / "locales" / "de.po").write_bytes(b"rubbish")

    with structlog.testing.capture_logs() as lines:
        bot = Catalogue([*bind(Ping()), *bind(builds)], "n1").describe("hachat", "de")

    assert [usage.explanation for usage in bot.commands] == ["prüft, ob ich da bin", "list them"]
    assert {line["event"] for line in lines} == {"help is not translated"}
    assert "de.po cannot be read" in lines[0]["error"]
