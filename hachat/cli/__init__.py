"""The `hachat` command."""

from __future__ import annotations

import sys


def main(prog_name: str = "hachat") -> None:
    """Do what the command line asks, and exit."""
    match sys.argv[1:]:
        case ["release"]:
            _release(None)
        case ["release", "--config" | "-c", file]:
            _release(file)
        case _:
            from hachat.cli.commands import main as commands  # noqa: PLC0415 - see `_release`

            commands(prog_name=prog_name)


def _release(file: str | None) -> None:
    # Every millisecond here is one without a master, and to import all commands takes a second.
    from hachat.daemon.release import main as release  # noqa: PLC0415

    sys.exit(release(file))
