"""The `hachat` command: arguments in, exit codes out; each subcommand has a module of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

from hachat import __version__
from hachat.cli.audit import audit
from hachat.cli.backup import backup, restore
from hachat.cli.check import check
from hachat.cli.console import console
from hachat.cli.dead import dead
from hachat.cli.demo import demo
from hachat.cli.doctor import doctor
from hachat.cli.history import history
from hachat.cli.jobs import jobs
from hachat.cli.memory import memory
from hachat.cli.new import new
from hachat.cli.options import FAILED, INTERRUPTED, UNREACHABLE, USAGE
from hachat.cli.orders import drain, pause, resume, undrain
from hachat.cli.queue import queue
from hachat.cli.release import release
from hachat.cli.run import run
from hachat.cli.say import say
from hachat.cli.status import status
from hachat.cli.stepdown import step_down
from hachat.cli.trace import trace
from hachat.core.errors import HachatError, SettingsError, StoreError, UsageError
from hachat.core.settings import LogSettings
from hachat.daemon import logging


class Commands(click.Group):
    """A group whose commands end with a sentence and an exit code where they would end with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the subcommand."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, HachatError, BaseExceptionGroup) as error:
            code = _tell(list(_leaves(error)))
            if code is None:
                raise
            sys.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hachat")
def main() -> None:
    """A chat-ops bot that stays up."""
    # A command says itself what went wrong; only `run` has a log, which it sets up itself.
    logging.configure(LogSettings(level="critical"), "")


for command in (
    *(run, status, history, audit, queue, trace, dead, jobs, memory, backup, restore),
    *(pause, resume, drain, undrain),
    *(step_down, release, console, say, check, doctor, new, demo),
):
    main.add_command(command)


def _tell(errors: list[BaseException]) -> int | None:
    """Say what ended a command and return its exit code, or None for what nobody expected."""
    if any(isinstance(error, KeyboardInterrupt) for error in errors):
        return INTERRUPTED
    if not all(isinstance(error, HachatError) for error in errors):
        return None
    click.echo(f"hachat: {errors[0]}", err=True)
    return _choose_code(errors[0])


def _choose_code(error: BaseException) -> int:
    if isinstance(error, SettingsError | UsageError):
        return USAGE
    return UNREACHABLE if isinstance(error, StoreError) else FAILED


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
