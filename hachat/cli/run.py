"""`hachat run`: the daemon."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import click

from hachat.cli.options import config_option
from hachat.daemon.configuration import find, load
from hachat.daemon.run import run as run_daemon


@click.command()
@config_option
def run(config: Path | None) -> None:
    """Run a node of the cluster until it is told to leave.

    SIGTERM and SIGINT leave gracefully, a second one at once; SIGHUP reads the settings again.
    """
    file = config or find(os.environ)
    reload = partial(load, file, os.environ)
    sys.exit(run_daemon(reload(), file.parent, reload))
