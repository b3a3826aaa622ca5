"""Who is answering, and what is it made of?"""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable

import trio

from hachat import __version__
from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.errors import StoreError

ReadVersion = Callable[[], Awaitable[str]]
"""Asks Redis for its version; raises StoreError."""


class Info(Handler):
    """Tells versions and what is loaded."""

    def __init__(self, read_redis_version: ReadVersion) -> None:
        self._read_redis_version = read_redis_version

    @command("info")
    async def info(self, ctx: Context) -> None:
        """info -- tell my version, the node that answers, and which handlers are loaded"""
        python = platform.python_version()
        redis = await self._redis()
        await ctx.reply(
            f"{ctx.bot.name}: hachat {__version__} on node {ctx.bot.node}\n"
            f"Python {python}, trio {trio.__version__}, {redis}\n"
            f"handlers: {', '.join(sorted(ctx.bot.handlers))}"
        )

    async def _redis(self) -> str:
        try:
            return f"Redis {await self._read_redis_version()}"
        except StoreError:
            return "Redis does not answer"
