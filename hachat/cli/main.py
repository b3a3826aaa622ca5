"""The `hachat` command: arguments in, exit codes out; each subcommand has a module of its own."""

from __future__ import annotations

import click

from hachat import __version__
from hachat.cli.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hachat")
def main() -> None:
    """A chat-ops bot that stays up."""


main.add_command(run)
