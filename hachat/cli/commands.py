"""The `hachat` command: arguments in, exit codes out; each subcommand has a module of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click

from hachat import __version__
from hachat.cli.options import FAILED, INTERRUPTED, UNREACHABLE, USAGE
from hachat.core.errors import HachatError, SettingsError, StoreError, StoreUnavailable, UsageError
from hachat.core.settings import LogSettings
from hachat.daemon import logging

_MODULES = {
    **{name: name for name in ("audit", "check", "console", "dead", "demo", "doctor", "history")},
    **{name: name for name in ("jobs", "memory", "new", "queue", "release", "run", "say")},
    **{name: name for name in ("status", "trace")},
    **dict.fromkeys(("backup", "restore"), "backup"),
    **dict.fromkeys(("drain", "pause", "resume", "undrain"), "orders"),
    "step-down": "stepdown",
}

_ADVICE = "Is it running, and does [redis] in the settings say where?"


class Commands(click.Group):
    """The subcommands, each imported when it is wanted: all together take longer than most of them.

    They end with a sentence and an exit code where they would end with a traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the names."""
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Return the subcommand of a name, if there is one."""
        if cmd_name not in _MODULES:
            return None
        module = import_module(f"hachat.cli.{_MODULES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

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


def _tell(errors: list[BaseException]) -> int | None:
    """Say what ended a command and return its exit code, or None for what nobody expected."""
    if any(isinstance(error, KeyboardInterrupt) for error in errors):
        return INTERRUPTED
    if not all(isinstance(error, HachatError) for error in errors):
        return None
    click.echo(f"hachat: {errors[0]}", err=True)
    if isinstance(errors[0], StoreUnavailable):
        click.echo(_ADVICE, err=True)
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
