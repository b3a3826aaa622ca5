"""`hachat status`: how the cluster is, even when no daemon runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import trio
from rich.console import RenderableType

from hachat.cli.health import Health, examine
from hachat.cli.options import (
    DEGRADED,
    NO_MASTER,
    TWO_MASTERS,
    config_option,
    open_link,
    read_settings,
)
from hachat.cli.screen import make_console, watch_for_ever
from hachat.cli.table import render
from hachat.core.errors import UsageError
from hachat.core.settings import Settings
from hachat.store.keys import Keys
from hachat.store.link import Link

CODES = {"healthy": 0, "no master": NO_MASTER, "degraded": DEGRADED, "two masters": TWO_MASTERS}


@click.command()
@config_option
@click.option("--watch", is_flag=True, help="Look again every second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def status(config: Path | None, *, watch: bool, as_json: bool) -> None:
    """Show the master, the nodes and the queues.

    Exits with 0 when all is well, 3 without a master, 4 when degraded (a node is dead, a chat
    connection does not stand, a queue is full or Redis is not set up safely), 5 when Redis cannot be reached, 6 when two nodes claim to be master.
    """
    if watch and as_json:
        raise UsageError("--watch shows a table; for JSON leave it out")
    settings = read_settings(config)
    if watch:
        trio.run(_watch, settings)
    health = trio.run(_look, settings)
    if as_json:
        click.echo(health.to_json())
    else:
        make_console().print(render(health))
    sys.exit(CODES[health.state])


async def _look(settings: Settings) -> Health:
    async with open_link(settings) as link:
        return await examine(link, Keys(settings.cluster), settings)


async def _watch(settings: Settings) -> None:
    keys = Keys(settings.cluster)

    async def draw(link: Link) -> RenderableType:
        return render(await examine(link, keys, settings))

    await watch_for_ever(settings, draw)
