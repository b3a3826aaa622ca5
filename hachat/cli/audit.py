"""`hachat audit`: who did what that not everybody may."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import trio
from rich.console import RenderableType
from rich.text import Text

from hachat.cli.letters import format_time
from hachat.cli.options import config_option, open_link, read_settings
from hachat.cli.screen import make_console
from hachat.cli.table import make_table
from hachat.core.plain import show, show_json
from hachat.core.settings import Settings
from hachat.store.audit import MOST, Audit, Deed
from hachat.store.keys import Keys

SHOWN = 50
"""Deeds that are shown unless more are wanted."""

_IN_COLUMNS = ("did", "by")


@click.command()
@config_option
@click.option(
    "-n",
    "count",
    metavar="COUNT",
    type=click.IntRange(1, MOST),
    default=SHOWN,
    show_default=True,
    help="Deeds to show.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def audit(config: Path | None, *, count: int, as_json: bool) -> None:
    """Show who did what that not everybody may, the newest first.

    Commands that are for groups, and who was denied one; changes of groups; step-downs, those that are scheduled too, pauses and drains; dead letters
    that were retried or dropped. The cluster remembers about five thousand.
    """
    deeds = trio.run(_look, read_settings(config), count)
    if as_json:
        click.echo(show_json(deeds))
    else:
        make_console().print(render(deeds))


async def _look(settings: Settings, count: int) -> Sequence[Deed]:
    async with open_link(settings) as link:
        return await Audit(link, Keys(settings.cluster)).read(count)


def render(deeds: Sequence[Deed]) -> RenderableType:
    """Return what `hachat audit` shows to people."""
    if not deeds:
        return Text("nobody has done anything yet, as far as Redis remembers")
    table = make_table("WHEN (UTC)", "WHO", "DID", "FACTS")
    for deed in deeds:
        facts = [f"{name}={fact}" for name, fact in deed.facts.items() if name not in _IN_COLUMNS]
        who, did = deed.facts.get("by", ""), deed.facts.get("did", "")
        cells = (format_time(deed.at), who, did, " ".join(facts))
        table.add_row(*(Text(show(cell)) for cell in cells))
    return table
