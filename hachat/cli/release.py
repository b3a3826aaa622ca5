"""`hachat release`: what systemd runs when a daemon has ended.

`hachat.cli.main` goes past this module, which imports too much for it; here is the help, and the place among the
other commands.
"""

from __future__ import annotations

import sys

import click

from hachat.daemon.release import main


@click.command()
def release() -> None:
    """Give back what a daemon that died has left: its lease, and its conversations.

    For ExecStopPost= of systemd. It reads the file that the daemon keeps in $RUNTIME_DIRECTORY.

    Exits with 0 when that is done or there is nothing to do; with 2 when the daemon still lives, or the
    file cannot be used; 5 when Redis cannot be reached.
    """
    sys.exit(main())
