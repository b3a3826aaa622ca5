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
        redis = await self._redis(ctx)
        who = ctx.translate(
            "{name}: hachat {version} on node {node}",
            name=ctx.bot.name,
            version=__version__,
            node=ctx.bot.node,
        )
        handlers = ctx.translate(
            "handlers: {handlers}", handlers=", ".join(sorted(ctx.bot.handlers))
        )
        await ctx.reply(f"{who}\nPython {python}, trio {trio.__version__}, {redis}\n{handlers}")

    async def _redis(self, ctx: Context) -> str:
        try:
            return f"Redis {await self._read_redis_version()}"
        except StoreError:
            return ctx.translate("Redis does not answer")
