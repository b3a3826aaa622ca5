"""`hachat check`: what is wrong with the settings, or what is in force."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import click
from msgspec import to_builtins

from hachat.bot.catalogue import find_rivals
from hachat.bot.texts import speaks
from hachat.cli.options import config_option
from hachat.cli.toml import write
from hachat.core.errors import SettingsError
from hachat.core.redaction import mask
from hachat.core.settings import Settings, build, masked, warnings
from hachat.daemon.adapters import Section, read_sections
from hachat.daemon.configuration import find, load
from hachat.daemon.run import load_plugins

_UNSPOKEN = (
    "bot.language: {}: what hachat says itself is not translated into it, so that is English"
)

_OF_PLUGINS = ("chat", "handler", "handlers")


@click.command()
@config_option
def check(config: Path | None) -> None:
    """Check the settings, and print what is in force with secrets as ****.

    Every fault is reported, those of the adapters' and handlers' sections too; then it exits with 2.
    """
    file = config or find(os.environ)
    settings, faults = _load(file)
    sections = _check_adapters(settings, faults)
    plugins = load_plugins(settings, file.parent)
    faults += map(str, plugins.faults)
    if faults:
        raise SettingsError(faults, str(file))
    found = [*warnings(settings), *find_rivals(plugins.routes)]
    if not speaks(settings.bot.language):
        found.append(_UNSPOKEN.format(settings.bot.language))
    for warning in found:
        click.echo(f"warning: {warning}", err=True)
    plain = masked(settings) | {"chat": mask(sections)}
    click.echo(f"# {file}, the environment and the defaults")
    click.echo("\n".join(write(plain)))


def _load(file: Path) -> tuple[Settings, list[str]]:
    """Return the settings, or of faulty ones what the plugins need, and the faults."""
    try:
        settings = load(file, os.environ)
    except SettingsError as error:
        return _salvage(file), list(error.faults)
    return settings, []


def _salvage(file: Path) -> Settings:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        parts = {name: data[name] for name in _OF_PLUGINS if name in data}
        return build(parts, origin=str(file), read_secret=lambda _: "unread")
    except (OSError, ValueError, SettingsError):
        return Settings()


def _check_adapters(settings: Settings, faults: list[str]) -> dict[str, Any]:
    try:
        sections = read_sections(settings)
    except SettingsError as error:
        faults += error.faults
        return {}
    return {name: _describe(name, section) for name, section in sections.items()}


def _describe(name: str, section: Section) -> dict[str, Any]:
    kind = {} if section.kind == name else {"adapter": section.kind}
    return {**kind, **to_builtins(section.values, enc_hook=str)}
