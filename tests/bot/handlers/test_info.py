"""Who is answering?"""

from __future__ import annotations

import platform

import trio

from hachat import __version__
from hachat.bot.handlers.info import Info
from hachat.bot.handlers.ping import Ping
from hachat.core.errors import StoreUnavailable
from tests.bot.stage import Stage


async def test_info() -> None:
    """The versions, the node and the handlers are told."""

    async def version() -> str:
        return "8.1.0"

    assert await Stage(Ping(), Info(version), node="alpha").say("hachat info") == [
        (
            f"hachat: hachat {__version__} on node alpha\n"
            f"Python {platform.python_version()}, trio {trio.__version__}, Redis 8.1.0\n"
            "handlers: info, ping"
        )
    ]


async def test_without_redis() -> None:
    """A dead Redis does not keep the rest from being told."""

    async def version() -> str:
        raise StoreUnavailable("no answer")

    (said,) = await Stage(Info(version)).say("hachat info")
    assert "Redis does not answer" in said
