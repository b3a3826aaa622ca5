"""What is this bot?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from hachat import __version__
from hachat.bot.context import Context
from hachat.bot.description import Topic
from hachat.bot.handler import Handler, command
from hachat.bot.loading import find_origin
from hachat.core.rates import format_wait

_OWN = f"{__name__.rpartition('.')[0]}."


class About(Handler):
    """Introduces the bot."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began = now()

    @command("about")
    async def about(self, ctx: Context) -> None:
        """about -- tell what I am, where my handlers come from, and how long this node has been running"""
        bot, since = ctx.bot, format_wait(self._now() - self._began)
        await ctx.reply(
            f"I am {bot.name}, a bot that stays up: hachat {__version__}, here on node {bot.node} for {since}.\n"
            f"handlers: {', '.join(_list_origins(bot.topics))}\n"
            f'"{ctx.prefix}help" lists what you can tell me.'
        )


def _list_origins(topics: Iterable[Topic]) -> Iterator[str]:
    """Return how many come with hachat, and of each other one whence it is."""
    others = [topic for topic in topics if not topic.module.startswith(_OWN)]
    if own := len([*topics]) - len(others):
        yield f"{own} built in"
    for topic in sorted(others, key=lambda one: one.name):
        yield f"{topic.name} ({find_origin(topic.module)})"
