"""`hachat step-down`: another node becomes master, now or at a time."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
import trio

from hachat.cli.options import (
    CHANGED,
    FAILED,
    INELIGIBLE,
    NO_MASTER,
    NOT_TAKEN_OVER,
    USAGE,
    config_option,
    open_link,
    read_settings,
    read_span,
)
from hachat.cluster.candidates import find_candidates
from hachat.cluster.schedule import Moment, order_for, read_moment
from hachat.cluster.stepdown import Succession
from hachat.cluster.stepdown import step_down as move
from hachat.core.errors import StepDownCode, StepDownRefused, UsageError
from hachat.core.settings import Settings
from hachat.core.stepdown import Order
from hachat.store.keys import Keys
from hachat.store.lease import LeaseView
from hachat.store.schedule import Scheduled, cancel

CODES: Mapping[StepDownCode, int] = {
    "no master": NO_MASTER,
    "no successor": NO_MASTER,
    "not taken over": NOT_TAKEN_OVER,
    "changed": CHANGED,
    "ineligible": INELIGIBLE,
    "failed": FAILED,
}
"""The exit codes of what is refused; all else is `USAGE`."""


def _read_moment(_: click.Context, __: click.Parameter, value: str | None) -> Moment | None:
    try:
        return None if value is None else read_moment(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("step-down")
@config_option
@click.option(
    "--from", "leaver", default="", metavar="NODE", help="Only if this node is the master."
)
@click.option("--to", default="", metavar="NODE", help="Who is to take over; else any living node.")
@click.option("--reason", default="step-down", show_default=True, help="Why, for the log.")
@click.option("--by", default=getpass.getuser, help="Who asks; else your login name.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds to wait for the successor.",
)
@click.option("--force", is_flag=True, help="Leave although no successor is ready.")
@click.option(
    "--hold",
    callback=read_span,
    metavar="TIME",
    help="Bar the leaver from becoming master again for so long, such as 30m.",
)
@click.option(
    "--at",
    "moment",
    callback=_read_moment,
    metavar="TIME",
    help="Do it then: 2026-11-25T22:00 or +10m.",
)
@click.option("--cancel", "taking_back", is_flag=True, help="Take back what --at has ordered.")
def step_down(
    config: Path | None,
    *,
    leaver: str,
    to: str,
    reason: str,
    by: str,
    wait: float,
    force: bool,
    hold: float | None,
    moment: Moment | None,
    taking_back: bool,
) -> None:
    """Have the master hand over, and wait until its successor holds the lease.

    Exits with 0 only then; with 2 when it was refused or took too long, 3 without a master or anybody
    who could succeed, 4 when nobody took over in time, 5 when Redis cannot be reached, 7 when another
    node is master than --from, 8 when --to cannot become master.
    """
    settings = read_settings(config)
    if taking_back:
        if to or leaver or force or hold or moment:
            raise UsageError("--cancel takes back what is scheduled, and nothing else")
        _tell_cancelled(trio.run(_cancel, settings, by))
        return
    order = Order(to=to, reason=reason, by=by, hold=hold or 0.0, force=force)
    try:
        if moment is not None:
            _tell_scheduled(trio.run(partial(_schedule, settings, order, leaver, moment)))
        else:
            _tell_done(trio.run(partial(_move, settings, order, leaver=leaver, patience=wait)))
    except* StepDownRefused as group:
        error = _find_refusal(group)
        click.echo(f"hachat: {error}", err=True)
        sys.exit(CODES.get(error.code, USAGE))


async def _move(settings: Settings, order: Order, *, leaver: str, patience: float) -> Succession:
    keys = Keys(settings.cluster)
    async with open_link(settings, insist=True) as link:
        find = partial(find_candidates, link, keys)
        view = LeaseView(link, keys)
        return await move(view, find, order, leaver=leaver, patience=patience)


async def _schedule(settings: Settings, order: Order, leaver: str, moment: Moment) -> Scheduled:
    async with open_link(settings, insist=True) as link:
        return await order_for(link, Keys(settings.cluster), order, moment, leaver=leaver)


async def _cancel(settings: Settings, by: str) -> bool:
    async with open_link(settings, insist=True) as link:
        return await cancel(link, Keys(settings.cluster), by)


def _tell_done(done: Succession) -> None:
    gap = "an unseen time" if done.gap is None else f"{done.gap * 1000:.0f} ms"
    old, new = done.old, done.new
    click.echo(
        f"{old.node} -> {new.node}, epoch {old.epoch} -> {new.epoch}, {gap} without a master"
    )
    if done.gap is None:
        click.echo(f"hachat: {old.node} was lost before it had handed over", err=True)


def _tell_scheduled(one: Scheduled) -> None:
    due = datetime.fromtimestamp(one.due, UTC)
    click.echo(
        f"scheduled for {due:%Y-%m-%d %H:%M:%S} UTC; `hachat step-down --cancel` takes it back"
    )


def _tell_cancelled(found: bool) -> None:  # noqa: FBT001
    click.echo("cancelled" if found else "nothing was scheduled")


def _find_refusal(group: BaseExceptionGroup[StepDownRefused]) -> StepDownRefused:
    error = group.exceptions[0]
    return _find_refusal(error) if isinstance(error, BaseExceptionGroup) else error
