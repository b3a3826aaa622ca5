"""`hachat step-down`: another node becomes master, now."""

from __future__ import annotations

import getpass
import sys
from functools import partial
from pathlib import Path

import click
import trio

from hachat.cli.options import NO_MASTER, config_option, open_link, read_settings
from hachat.cluster.stepdown import Succession
from hachat.cluster.stepdown import step_down as move
from hachat.core.settings import Settings
from hachat.store.keys import Keys
from hachat.store.lease import LeaseView
from hachat.store.status import read_status


@click.command("step-down")
@config_option
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
def step_down(config: Path | None, to: str, reason: str, by: str, wait: float) -> None:
    """Have the master hand over, and wait until its successor holds the lease.

    Exits with 0 only then; with 2 when it was refused or took too long, 3 without a master, 5 when
    Redis cannot be reached.
    """
    settings = read_settings(config)
    done = trio.run(partial(_move, settings, to=to, reason=reason, by=by, patience=wait))
    if done is None:
        click.echo("hachat: nobody is master, so nobody can step down", err=True)
        sys.exit(NO_MASTER)
    gap = f"{done.gap * 1000:.0f} ms"
    click.echo(
        f"{done.old.node} -> {done.new.node}, epoch {done.new.epoch}, {gap} without a master"
    )


async def _move(
    settings: Settings, *, to: str, reason: str, by: str, patience: float
) -> Succession | None:
    keys = Keys(settings.cluster)
    async with open_link(settings) as link:
        status = await read_status(link, keys)
        if status.master is None:
            return None
        alive = [node.name for node in status.nodes if node.role != "dead"]
        election = LeaseView(link, keys)
        return await move(election, alive, to=to, reason=reason, by=by, patience=patience)
