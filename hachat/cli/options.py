"""What the subcommands share: exit codes, the settings they work with, and the way to Redis."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import trio

from hachat.core.errors import StoreUnavailable
from hachat.core.settings import Settings
from hachat.core.spans import parse_span
from hachat.daemon.configuration import load
from hachat.daemon.sources import make_link
from hachat.store.link import Link
from hachat.tasks.services import running

FAILED = 1
"""Exit code: it went wrong for a reason that none of the others names."""

USAGE = 2
"""Exit code: the command, or the settings, cannot be done as asked."""

NO_MASTER = 3
"""Exit code: nobody is master."""

DEGRADED = 4
"""Exit code: there is a master, and something else is wrong."""

NOT_TAKEN_OVER = 4
"""Exit code: the lease was given back, and not taken over as it should be."""

UNREACHABLE = 5
"""Exit code: Redis cannot be reached."""

TWO_MASTERS = 6
"""Exit code: more than one node says that it is master."""

CHANGED = 7
"""Exit code: another node is master than was meant."""

INELIGIBLE = 8
"""Exit code: the node that was named cannot become master."""

INTERRUPTED = 130
"""Exit code: Ctrl-C, as shells have it."""

REACH = 2.5
"""Seconds a command waits for Redis before it says that Redis is away."""

_AGAIN = 0.1


def read_span(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Return an option's span of time, such as `90`, `30s`, `15m`, `2h`, `3d`, in seconds: a callback for click.

    Raises:
        click.BadParameter: it is none.
    """
    if value is None:
        return None
    try:
        return parse_span(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


config_option = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    help="The settings file; without it $HACHAT_CONFIG, ./hachat.toml, /etc/hachat/hachat.toml.",
)


def read_settings(config: Path | None) -> Settings:
    """Return the settings a command works with; raises as `configuration.load` does."""
    return load(config, os.environ)


@asynccontextmanager
async def open_link(settings: Settings, *, insist: bool = False) -> AsyncIterator[Link]:
    """Open a link to the cluster's Redis, which has answered once; with `insist` it may fail over meanwhile.

    Raises:
        StoreError: Redis cannot be reached (in a group).
    """
    link = make_link(settings.redis, min(settings.redis.timeout, REACH))
    async with running(link.run):
        with trio.move_on_after(REACH) as waiting:
            await _ping(link, insist=insist)
        if waiting.cancelled_caught:
            raise StoreUnavailable(f"Redis has not answered within {REACH:g} s")
        yield link


async def _ping(link: Link, *, insist: bool) -> None:
    while True:
        try:
            await link.command("PING")
        except StoreUnavailable:
            if not insist:
                raise
        else:
            return
        await trio.sleep(_AGAIN)
