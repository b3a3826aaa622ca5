"""Dead letters as text; nothing that people wrote reaches the terminal as it is."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hachat.core.errors import WireError
from hachat.core.messages import Event, Job, Message, Reply, Webhook
from hachat.core.plain import show, show_bytes, show_json
from hachat.store.letter import Letter, Page

_SHOWN = 4096
"""Bytes that are shown of what cannot be read."""

_SUMMARY = 60
"""Characters of a summary."""


def format_time(seconds: float) -> str:
    """Return a time, Unix seconds, as UTC; one that no calendar has as a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f}"


def render_list(page: Page) -> RenderableType:
    """Return what `hachat dead list` shows."""
    if not page.letters:
        return Text("no dead letters")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("ID", "WHEN (UTC)", "KIND", "ROOM", "REASON", "WHAT"):
        fixed = heading in {"ID", "WHEN (UTC)", "KIND"}
        table.add_column(heading, overflow="fold", header_style="dim", no_wrap=fixed)
    for letter in page.letters:
        texts = (letter.kind, letter.origin, letter.reason, _summarise(letter))
        when = format_time(letter.at)
        table.add_row(letter.entry, when, *(Text(show(text)) for text in texts))
    more = [Text(f"there may be more: --after {page.next}", style="dim")] if page.next else []
    return Group(table, *more)


def render_letter(letter: Letter) -> str:
    """Return what `hachat dead show` shows of one letter."""
    lines = [
        f"{name:<7}{show(text)}"
        for name, text in (
            ("id", letter.entry),
            ("when", f"{format_time(letter.at)} UTC"),
            ("kind", letter.kind),
            ("room", letter.origin),
            ("reason", letter.reason),
            ("about", letter.id),
        )
    ]
    try:
        lines.append(show_json(letter.open()))
    except WireError as error:
        size = len(letter.data)
        lines += [
            f"it cannot be read: {show(str(error))}",
            f"{show_bytes(letter.data[:_SHOWN])}{f'... ({size} bytes)' * (size > _SHOWN)}",
        ]
    return "\n".join(lines)


def _summarise(letter: Letter) -> str:
    """Return in a few words what was given up."""
    try:
        value = letter.open()
    except WireError:
        return "(cannot be read)"
    match value:
        case Message():
            words = f"{value.user.name or value.user.id}: {value.text}"
        case Webhook():
            words = f"{value.method} {value.path}"
        case Job():
            words = value.route
        case Event():
            words = f"{value.name} {value.user.name if value.user else ''}".rstrip()
        case Reply():
            words = value.text or value.op
    return words if len(words) <= _SUMMARY else f"{words[:_SUMMARY]}..."
