"""`hachat run`: the daemon."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import click

from hachat.cli.options import config_option
from hachat.core.errors import SettingsError
from hachat.daemon.configuration import find, load
from hachat.daemon.run import NOT_LIKE_THIS
from hachat.daemon.run import run as run_daemon


@click.command()
@config_option
def run(config: Path | None) -> None:
    """Run a node of the cluster until it is told to leave.

    SIGTERM and SIGINT leave gracefully, a second one at once; SIGHUP reads the settings again.
    """
    try:
        file = config or find(os.environ)
        reload = partial(load, file, os.environ)
        code = run_daemon(reload(), file.parent, reload)
    except SettingsError as error:
        # Not the usage code of the other commands: it tells systemd that a restart would not help.
        click.echo(f"hachat: {error}", err=True)
        code = NOT_LIKE_THIS
    sys.exit(code)
