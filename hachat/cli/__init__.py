"""The `hachat` command."""

from __future__ import annotations

import gc
import sys


def main(prog_name: str = "hachat") -> None:
    """Do what the command line asks, and exit."""
    if sys.argv[1:] == ["release"]:
        # Every millisecond here is one without a master, and to import what a command needs takes half a second.
        from hachat.daemon.release import main as release  # noqa: PLC0415

        sys.exit(release())
    gc.set_threshold(100_000)  # to search what is being imported takes a tenth of the start
    from hachat.cli.commands import main as commands  # noqa: PLC0415 - see above

    commands(prog_name=prog_name)
