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
        introduction = ctx.translate(
            "I am {name}, a bot that stays up: hachat {version}, here on node {node} for {time}.",
            name=bot.name,
            version=__version__,
            node=bot.node,
            time=since,
        )
        origins = ctx.translate(
            "handlers: {handlers}", handlers=", ".join(_list_origins(ctx, bot.topics))
        )
        hint = ctx.translate('"{help}" lists what you can tell me.', help=f"{ctx.prefix}help")
        await ctx.reply(f"{introduction}\n{origins}\n{hint}")


def _list_origins(ctx: Context, topics: Iterable[Topic]) -> Iterator[str]:
    """Return how many come with hachat, and of each other one whence it is."""
    others = [topic for topic in topics if not topic.module.startswith(_OWN)]
    if own := len([*topics]) - len(others):
        yield ctx.translate("{count} built in", count=own)
    for topic in sorted(others, key=lambda one: one.name):
        yield f"{topic.name} ({find_origin(topic.module)})"
