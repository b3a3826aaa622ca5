"""`hachat history`: who was master, from when until when, and why no longer."""

from __future__ import annotations

from pathlib import Path

import click
import trio
from rich.console import Group, RenderableType
from rich.text import Text

from hachat.cli.letters import format_time
from hachat.cli.options import config_option, open_link, read_settings
from hachat.cli.screen import make_console
from hachat.cli.table import format_span, make_table
from hachat.core.plain import show, show_json
from hachat.core.settings import Settings
from hachat.store.history import MOST, SHOWN, History, Returned, Term, Unseen, read_history
from hachat.store.keys import Keys

_REDIS = {
    "failover": "Redis had failed over",
    "restarted": "Redis had been restarted",
    "forgot": "Redis had forgotten it",
}

_TELLING = ("step-down", "unreachable")
"""Causes of which the reason tells more."""

_MINUTE = 60


@click.command()
@config_option
@click.option(
    "-n",
    "count",
    metavar="COUNT",
    type=click.IntRange(1, MOST),
    default=SHOWN,
    show_default=True,
    help="Terms to show.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def history(config: Path | None, *, count: int, as_json: bool) -> None:
    """Show the terms of the masters, the newest first, and why each ended.

    The cluster remembers about five hundred terms.
    """
    told = trio.run(_look, read_settings(config), count)
    if as_json:
        click.echo(show_json(told))
    else:
        make_console().print(render(told))


async def _look(settings: Settings, count: int) -> History:
    async with open_link(settings) as link:
        return await read_history(link, Keys(settings.cluster), count)


def render(told: History) -> RenderableType:
    """Return what `hachat history` shows to people."""
    skipped = told.unreadable
    notes = [Text(f"! {skipped} entries cannot be read and are left out", "yellow")] * bool(skipped)
    if not told.terms:
        return Group(Text("nobody has been master yet, as far as Redis remembers"), *notes)
    table = make_table("EPOCH", "NODE", "FROM (UTC)", "TO (UTC)", "LASTED", "GAP", "END")
    newer: Term | None = None
    for term in told.terms:
        to, lasted, end = _describe_end(term, newer, told.master)
        cells = (str(term.epoch), show(term.node), _format_moment(term.began), to, lasted)
        table.add_row(*map(Text, (*cells, _describe_gap(term), end)))
        newer = term
    return Group(table, *notes)


def _describe_end(term: Term, newer: Term | None, master: str) -> tuple[str, str, str]:
    match term.end:
        case Returned(at=at) as end:
            return _format_moment(at), _format_length(at - term.began), _describe_return(end)
        case Unseen(after=after, before=before, cause=cause):
            happened = _REDIS.get(newer.redis, "") if newer is not None else ""
            why = f"{show(cause)}; {happened}" if happened else show(cause)
            least = f"{_format_length(after - term.began)} or more" if after is not None else "?"
            return f"before {_format_moment(before)}", least, why
        case _:
            return "-", "", "master now" if term.token == master else "unknown: nobody followed yet"


def _describe_return(end: Returned) -> str:
    words = [end.cause or end.reason]
    if end.by:
        words.append(f"by {end.by}")
    if end.to:
        words.append(f"to {end.to}")
    told = " ".join(map(show, words))
    # The node's own words for other causes tell nothing more.
    telling = end.cause in _TELLING and end.reason != end.cause
    return f"{told}: {show(end.reason)}" if telling else told


def _describe_gap(term: Term) -> str:
    if term.gap is not None:
        return _format_length(term.gap)
    if term.gap_at_most is not None:
        return f"at most {_format_length(term.gap_at_most)}"
    return "-" if term.previous is None else "?"


def _format_moment(seconds: float) -> str:
    return f"{format_time(seconds)}.{round(seconds * 1000) % 1000:03d}"


def _format_length(seconds: float) -> str:
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < _MINUTE else format_span(seconds)
