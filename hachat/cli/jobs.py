"""`hachat jobs`: what is still to come, and taking it back."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
import trio
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hachat.cli.options import config_option, open_link, read_settings
from hachat.cli.screen import make_console
from hachat.cli.table import format_span, make_table
from hachat.core.errors import UsageError
from hachat.core.settings import Settings
from hachat.store.jobs import Agenda, Jobs
from hachat.store.keys import Keys

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def jobs() -> None:
    """Show what is still to come, or take it back."""


@jobs.command("list")
@config_option
@_json_option
@click.option(
    "--most", type=click.IntRange(1), default=1000, show_default=True, help="Jobs to show."
)
def list_(config: Path | None, *, as_json: bool, most: int) -> None:
    """Show the jobs that wait, those that are due next first, and the schedules."""
    agenda = trio.run(_look, read_settings(config), most)
    if as_json:
        click.echo(msgspec.json.encode(agenda).decode())
    else:
        make_console().print(render(agenda))


@jobs.command()
@config_option
@_json_option
@click.argument("job_id", metavar="ID")
def cancel(config: Path | None, *, as_json: bool, job_id: str) -> None:
    """Take back the job ID; exits with 2 when none waits under that id."""
    if not trio.run(_cancel, read_settings(config), job_id):
        raise UsageError(
            f"no job waits under the id {job_id!r}; `hachat jobs list` shows those that do"
        )
    click.echo(
        msgspec.json.encode({"cancelled": job_id}).decode() if as_json else f"cancelled {job_id}"
    )


def render(agenda: Agenda) -> RenderableType:
    """Return what `hachat jobs list` shows to people."""
    return Group(_tabulate_jobs(agenda), Text(), _tabulate_schedules(agenda))


async def _look(settings: Settings, most: int) -> Agenda:
    async with open_link(settings) as link:
        return await Jobs(link, Keys(settings.cluster)).agenda(most)


async def _cancel(settings: Settings, job_id: str) -> bool:
    async with open_link(settings) as link:
        return await Jobs(link, Keys(settings.cluster)).cancel(job_id)


def _tabulate_jobs(agenda: Agenda) -> Table | Text:
    if not agenda.jobs:
        return Text("no job waits")
    table = make_table("JOB", "DUE", "FOR", "TRIES")
    for job in agenda.jobs:
        late = agenda.at - job.due
        due = f"{format_span(late)} ago" if late > 0 else f"in {format_span(-late)}"
        table.add_row(Text(job.id), due, Text(job.what), str(job.attempt))
    return table


def _tabulate_schedules(agenda: Agenda) -> Table | Text:
    if not agenda.schedules:
        return Text("there is no schedule")
    table = make_table("SCHEDULE", "NEXT", "LAST")
    for name, last in agenda.schedules.items():
        slot = agenda.upcoming.get(name)
        following = "-" if slot is None else f"in {format_span(max(0.0, slot - agenda.at))}"
        table.add_row(Text(name), following, f"{format_span(agenda.at - last)} ago")
    return table
