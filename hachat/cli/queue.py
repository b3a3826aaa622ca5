"""`hachat queue`: what waits where, and what is full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import click
import msgspec
import trio
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hachat.cli.options import config_option, open_link, read_settings
from hachat.cli.screen import make_console, watch_for_ever
from hachat.cli.table import format_span
from hachat.core.errors import UsageError
from hachat.core.plain import show, show_json
from hachat.core.settings import QueueSettings, Settings
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.queue import Box, DeferredRoom, Queues, find_full, read_queues


@click.command()
@config_option
@click.option("--watch", is_flag=True, help="Look again every second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def queue(config: Path | None, *, watch: bool, as_json: bool) -> None:
    """Show what waits in the queues, the longest of them, and what is full."""
    if watch and as_json:
        raise UsageError("--watch shows a table; for JSON leave it out")
    settings = read_settings(config)
    keys = Keys(settings.cluster)
    if watch:
        trio.run(watch_for_ever, settings, partial(_draw, keys, settings.queue))
    queues = trio.run(_look, settings, keys)
    if as_json:
        click.echo(show_json(_to_plain(queues, settings.queue)))
    else:
        make_console().print(render(queues, settings.queue))


async def _look(settings: Settings, keys: Keys) -> Queues:
    async with open_link(settings) as link:
        return await read_queues(link, keys)


async def _draw(keys: Keys, limits: QueueSettings, link: Link) -> RenderableType:
    return render(await read_queues(link, keys), limits)


def _to_plain(queues: Queues, limits: QueueSettings) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(queues)
    return {
        "full": find_full(queues, limits),
        **plain,
        "limits": {name: getattr(limits, name) for name in ("depth", "mailbox", "outbox", "dead")},
    }


def render(queues: Queues, limits: QueueSettings) -> RenderableType:
    """Return what `hachat queue` shows."""
    full = (Text(f"! {show(sentence)}", style="bold red") for sentence in find_full(queues, limits))
    outbound = queues.outbound
    return Group(
        *full,
        _tabulate_lanes(queues, limits),
        Text(""),
        *_describe_rooms(queues, limits),
        *_tabulate_deferred(outbound.deferred, outbound.deferred_rooms, queues.at),
        *_tabulate_boxes("LONGEST MAILBOXES", _mailboxes(queues)),
        *_tabulate_boxes("LONGEST OUTBOXES", outbound.longest),
    )


def _tabulate_lanes(queues: Queues, limits: QueueSettings) -> Table:
    table = _table("LANE", "WAITING", "OLDEST", "MAILBOXES", "IN HAND")
    for name, lane in queues.lanes.items():
        held = ", ".join(f"{show(node)} {count}" for node, count in sorted(lane.in_hand.items()))
        table.add_row(
            name,
            f"{lane.waiting} of {limits.depth}",
            _age(lane.oldest),
            str(lane.mailboxes),
            Text(held or "-"),
        )
    return table


def _describe_rooms(queues: Queues, limits: QueueSettings) -> Iterator[Text]:
    out = queues.outbound
    oldest = f", oldest {_age(out.oldest)}" if out.oldest is not None else ""
    yield Text(
        f"outbound: {out.replies} replies in {out.rooms} rooms{oldest};"
        f" being sent {out.sending}, in doubt {out.in_doubt}, deferred {out.deferred_rooms}"
    )
    cut = f"; {queues.dead_cut} were cut" if queues.dead_cut else ""
    yield Text(f"dead letters: {queues.dead_letters} of {limits.dead}{cut}")
    yield Text(f"limits: {limits.mailbox} messages in a mailbox, {limits.outbox} replies in a room")
    lanes = queues.lanes.values()
    if out.looked_at < out.rooms or any(lane.looked_at < lane.mailboxes for lane in lanes):
        yield Text("not all boxes were looked at, so others may be longer or older", style="yellow")


def _tabulate_deferred(
    deferred: Sequence[DeferredRoom], count: int, now: float
) -> Iterator[RenderableType]:
    if not deferred:
        return
    table = _table("DEFERRED", "REPLIES", "FOR", "WHY")
    for room in deferred:
        left = format_span(room.until - now)
        table.add_row(
            Text(show(room.room)), str(room.replies), left, Text(show(room.why) or "not known")
        )
    yield from (Text(""), table)
    if count > len(deferred):
        yield Text(f"and {count - len(deferred)} more", style="dim")


def _mailboxes(queues: Queues) -> list[Box]:
    boxes = [box for lane in queues.lanes.values() for box in lane.longest]
    return sorted(boxes, key=lambda box: -box.length)


def _tabulate_boxes(heading: str, boxes: Iterable[Box]) -> Iterator[RenderableType]:
    table = _table(heading, "WAITING", "OLDEST")
    for box in boxes:
        table.add_row(Text(show(box.name)), str(box.length), _age(box.oldest))
    if table.row_count:
        yield from (Text(""), table)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", header_style="dim")
    return table


def _age(seconds: float | None) -> str:
    return "-" if seconds is None else format_span(seconds)
