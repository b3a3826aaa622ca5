"""`hachat memory`: how much handlers remember."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import trio
from rich.console import RenderableType
from rich.text import Text

from hachat.cli.options import config_option, open_link, read_settings
from hachat.cli.screen import make_console
from hachat.cli.table import make_table
from hachat.core.plain import show, show_json
from hachat.core.settings import Settings
from hachat.store.keys import Keys
from hachat.store.memory import MAX_BYTES, MAX_KEYS, Memory, Size


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def memory(config: Path | None, *, as_json: bool) -> None:
    """Show how much each handler remembers with ctx.memory."""
    sizes = trio.run(_look, read_settings(config))
    if as_json:
        click.echo(show_json(sizes))
    else:
        make_console().print(render(sizes))


async def _look(settings: Settings) -> Sequence[Size]:
    async with open_link(settings) as link:
        return await Memory(link, Keys(settings.cluster)).measure()


def render(sizes: Sequence[Size]) -> RenderableType:
    """Return what `hachat memory` shows to people."""
    if not sizes:
        return Text("no handler remembers anything")
    table = make_table("HANDLER", "KEYS", "BYTES", "OF THE MOST")
    for size in sizes:
        share = max(size.keys / MAX_KEYS, size.bytes / MAX_BYTES)
        cells = (show(size.handler), str(size.keys), str(size.bytes), f"{share:.0%}")
        table.add_row(*map(Text, cells))
    return table
