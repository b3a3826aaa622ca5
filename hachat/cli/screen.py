"""What is drawn: once, or again every second."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from hachat.cli.options import open_link
from hachat.core.errors import StoreError
from hachat.core.settings import Settings
from hachat.store.link import Link

_EVERY = 1.0
"""Seconds between two looks of --watch."""

_WIDE = 160
"""Columns where there is no terminal to say how many it has."""


def make_console() -> Console:
    """Return standard output, wide enough for tables where it is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


async def watch_for_ever(
    settings: Settings, draw: Callable[[Link], Awaitable[RenderableType]]
) -> NoReturn:
    """Show what `draw` returns, again every second, until Ctrl-C; while Redis is away, that it is."""
    async with open_link(settings) as link:
        with Live(console=make_console(), auto_refresh=False) as live:
            while True:
                try:
                    picture = await draw(link)
                except StoreError as error:
                    picture = Text(str(error), style="red")
                live.update(picture, refresh=True)
                await trio.sleep(_EVERY)
    raise AssertionError("it never ends")
