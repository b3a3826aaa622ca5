"""The routes of a node by their names, and what it says of those that it has not."""

from __future__ import annotations

import pytest

from hachat import Context, Handler, command, every, hear, hook, job, on
from hachat.bot.binding import bind
from hachat.bot.catalogue import Catalogue
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
    bot = CATALOGUE.describe("marvin")
    assert (bot.name, bot.node, bot.handlers) == ("marvin", "n1", ("tea", "coffee"))
    assert [(topic.name, topic.purpose) for topic in bot.topics] == [
        ("tea", "Makes tea"),
        ("coffee", "Makes coffee"),
    ]
    (brew,) = bot.commands
    assert (brew.line, brew.route, brew.groups) == ("brew", "tea.brew", frozenset({"cooks"}))
