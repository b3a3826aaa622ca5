"""What the subcommands share: the settings they work with, and errors without tracebacks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from hachat.core.errors import HachatError, SettingsError, StoreError, UsageError
from hachat.core.settings import Settings
from hachat.daemon.configuration import load

P = ParamSpec("P")
R = TypeVar("R")

USAGE = 2
"""Exit code: the command, or the settings, cannot be done as asked."""

NO_MASTER = 3
"""Exit code: nobody is master."""

DEGRADED = 4
"""Exit code: there is a master, and something else is wrong."""

UNREACHABLE = 5
"""Exit code: Redis cannot be reached."""


config_option = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    help="The settings file; without it $HACHAT_CONFIG, ./hachat.toml, /etc/hachat/hachat.toml.",
)


def read_settings(config: Path | None) -> Settings:
    """Return the settings a command works with; raises as `configuration.load` does."""
    return load(config, os.environ)


def without_traceback(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our own errors into a sentence and an exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except* HachatError as group:
            error = _first(group)
            click.echo(f"hachat: {error}", err=True)
            sys.exit(_code(error))

    return run


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _code(error: BaseException) -> int:
    if isinstance(error, SettingsError | UsageError):
        return USAGE
    return UNREACHABLE if isinstance(error, StoreError) else 1
