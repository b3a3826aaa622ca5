"""Which chat services a node speaks to, by its settings: those that come with hachat, and those of installed packages.

A package offers an adapter as an entry point of the group `hachat.adapters`: the name is what settings call it, the value a
class that is made with its section and the name of that: `MyAdapter(section, name="my")`.  `MyAdapter.Settings` is the msgspec struct of
the section.  One that is not in use is not even imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from hachat.chat.adapter import Adapter
from hachat.chat.console import ConsoleAdapter
from hachat.chat.irc.settings import IrcSettings
from hachat.core.errors import SettingsError
from hachat.core.sections import convert_section
from hachat.core.settings import Settings
from hachat.store.keys import Keys
from hachat.store.link import Link

GROUP = "hachat.adapters"
"""Entry points of this group are adapters."""


class ConsoleSettings(msgspec.Struct, frozen=True):
    """The console has nothing to set."""


class Section(msgspec.Struct, frozen=True):
    """One section of the settings, decoded, and the kind of adapter it is for."""

    kind: str
    values: msgspec.Struct


BUILTIN: Mapping[str, type[msgspec.Struct]] = {"console": ConsoleSettings, "irc": IrcSettings}
"""The kinds of adapters that come with hachat, each with its settings."""


def read_sections(settings: Settings) -> dict[str, Section]:
    """Return the decoded section of each adapter in use.

    A section is of the kind that its `adapter` names, or else its own name: `[chat.irc]`, or `[chat.work]` with `adapter = "irc"`.

    Raises:
        SettingsError: with every fault of every section.
    """
    sections: dict[str, Section] = {}
    faults: list[str] = []
    for name, section in settings.chat.items():
        try:
            sections[name] = _read_section(name, dict(section))
        except SettingsError as error:
            faults += error.faults
    if faults:
        raise SettingsError(faults)
    return sections


def make_adapters(settings: Settings, link: Link, keys: Keys) -> list[Adapter]:
    """Return the adapters the settings name.

    Raises:
        SettingsError: with every fault of every section, and of adapters that cannot be loaded.
    """

    def make(name: str, section: Section) -> Adapter:
        match section.values:
            case ConsoleSettings():
                return ConsoleAdapter(link, keys)
            case IrcSettings() as values:
                return _make_irc(values, settings.bot.name, name)
            case values:
                return _make_installed(name, section.kind, values)

    return [make(name, section) for name, section in read_sections(settings).items()]


def _read_section(name: str, section: dict[str, Any]) -> Section:
    kind = section.pop("adapter", name)
    if kind == "console" != name:
        raise SettingsError([f"chat.{name}: there is one console, and its section is chat.console"])
    return Section(kind, convert_section(section, _find_settings(name, kind), f"chat.{name}"))


def _find_settings(name: str, kind: str) -> type[msgspec.Struct]:
    if kind in BUILTIN:
        return BUILTIN[kind]
    found = _load(name, kind).Settings
    if isinstance(found, type) and issubclass(found, msgspec.Struct):
        return found
    raise SettingsError(
        [f"chat.{name}: the adapter {kind!r} has no Settings that are a msgspec.Struct"]
    )


def _load(name: str, kind: str) -> Any:
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    if kind not in installed:
        known = [*BUILTIN, *installed]
        near = get_close_matches(kind, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        raise SettingsError([f"chat.{name}: no such adapter; {hint}"])
    return _import(name, installed[kind])


def _import(name: str, entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        reason = f"chat.{name}: the adapter {entry.value} cannot be loaded: {type(error).__name__}: {error}"
        raise SettingsError([reason]) from error


def _make_irc(values: IrcSettings, bot_name: str, name: str) -> Adapter:
    # What it needs takes a fifth of a daemon's start, and a console does without.
    from hachat.chat.irc.adapter import IrcAdapter  # noqa: PLC0415

    return IrcAdapter(values, bot_name=bot_name, name=name)


def _make_installed(name: str, kind: str, values: msgspec.Struct) -> Adapter:
    try:
        made: Adapter = _load(name, kind)(values, name=name)
    except SettingsError:
        raise
    except Exception as error:
        reason = (
            f"chat.{name}: the adapter {kind!r} cannot be made: {type(error).__name__}: {error}"
        )
        raise SettingsError([reason]) from error
    return made
