"""What people are shown: tables, and a cluster as one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hachat.cli.health import SILENT, Health
from hachat.core.plain import show
from hachat.store.control import format_moment
from hachat.store.schedule import Scheduled
from hachat.store.status import NodeStatus, QueueStatus, Status

_COLOURS = {"healthy": "green", "degraded": "yellow", "no master": "red", "two masters": "red"}
_ROLES = {"master": "bold green", "standby": "", "dead": "red"}
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def render(health: Health) -> RenderableType:
    """Return what `hachat status` shows."""
    status = health.status
    state = Text(health.state, style=_COLOURS[health.state])
    return Group(
        Text.assemble(f"cluster {status.cluster}: ", state),
        _describe_master(status),
        *(Text(line) for line in _describe_scheduled(health.scheduled)),
        _tabulate(health),
        Text(_describe_queues(status)),
        *(Text(f"! {show(reason)}", style=_COLOURS[health.state]) for reason in health.reasons),
        *(Text(f"! {show(warning)}", style="yellow") for warning in status.warnings),
        *(Text(show(order), style="yellow") for order in _describe_orders(status)),
    )


def make_table(*headings: str) -> Table:
    """Return an empty table."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", header_style="dim")
    return table


def format_span(seconds: float) -> str:
    """Return a span of time in its largest unit and the next: `2 h 5 min`."""
    left = max(0, round(seconds))
    parts: list[tuple[int, str]] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count or len(parts) == 1)


def _describe_master(status: Status) -> str:
    if status.master is None:
        return f"no master, last epoch {status.epoch}"
    held = format_span(status.at - (status.since or status.at))
    return f"master {status.master} for {held}, epoch {status.epoch}, lease {status.lease_left:.1f} s left"


def _describe_scheduled(scheduled: Scheduled | None) -> Iterator[str]:
    if scheduled is not None:
        due = datetime.fromtimestamp(scheduled.due, UTC)
        to = f" to {scheduled.to}" if scheduled.to else ""
        words = f"{scheduled.by}: {scheduled.reason}"
        yield f"step-down{to} at {due:%Y-%m-%d %H:%M:%S} UTC, ordered by {show(words)}"


def _tabulate(health: Health) -> Table:
    table = make_table("NODE", "ROLE", "SINCE", "VERSION", "HTTP", "CHAT")
    status = health.status
    for node in status.nodes:
        since = f"{format_span(health.status.at - node.since)} ago"
        chat = ", ".join(f"{adapter} {state}" for adapter, state in node.chat.items())
        role = Text(_describe_role(node, status), style=_ROLES[node.role])
        table.add_row(
            node.name, role, since, node.version, _describe_http(node, health), chat or "-"
        )
    return table


def _describe_role(node: NodeStatus, status: Status) -> str:
    words: list[str] = [node.role]
    words += ["drained"] if node.name in status.control.drains else []
    words += ["held back"] if node.name in status.control.holds else []
    words += [] if node.priority else ["never master"]
    return ", ".join(words)


def _describe_orders(status: Status) -> Iterator[str]:
    for node, order in status.control.drains.items():
        yield f"{node} is drained {order.describe()}"
    for node, order in status.control.holds.items():
        yield f"{node} may not become master, {order.describe()}"
    if missed := status.control.missed:
        due = f" for {format_moment(missed.at)}" if missed.at else ""
        by = f" by {missed.by}" if missed.by else ""
        yield f"a step-down that was ordered{by}{due} was not done: {missed.reason}"


def _describe_http(node: NodeStatus, health: Health) -> str:
    silent = health.answers.get(node.name) == SILENT
    return f"{node.http} ({SILENT})" if silent else node.http


def _describe_queues(status: Status) -> str:
    inbound = ", ".join(f"{lane} {_describe(queue)}" for lane, queue in status.inbound.items())
    cut = f" ({status.dead_cut} were cut)" if status.dead_cut else ""
    doubts = f"; in doubt so far {status.doubts}" if status.doubts else ""
    dead = f"dead letters {status.dead_letters}{cut}{doubts}"
    return f"inbound {inbound}; outbound {_describe(status.outbound)}; {dead}"


def _describe(queue: QueueStatus) -> str:
    return (
        f"{queue.depth}" if queue.oldest is None else f"{queue.depth} (oldest {queue.oldest:.1f} s)"
    )
