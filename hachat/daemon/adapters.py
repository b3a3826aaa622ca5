"""Which chat services a node speaks to, by its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from hachat.chat.adapter import Adapter
from hachat.chat.console import ConsoleAdapter
from hachat.chat.irc.adapter import IrcAdapter
from hachat.chat.irc.settings import IrcSettings
from hachat.core.errors import SettingsError
from hachat.core.sections import convert_section
from hachat.core.settings import Settings
from hachat.store.keys import Keys
from hachat.store.link import Link


class ConsoleSettings(msgspec.Struct, frozen=True):
    """The console has nothing to set."""


SECTIONS: Mapping[str, type[msgspec.Struct]] = {"console": ConsoleSettings, "irc": IrcSettings}
"""What each adapter's section may say."""


def read_sections(settings: Settings) -> dict[str, Any]:
    """Return the decoded section of each adapter in use.

    Raises:
        SettingsError: with every fault of every section.
    """
    sections: dict[str, Any] = {}
    faults: list[str] = []
    for name, section in settings.chat.items():
        if name not in SECTIONS:
            near = get_close_matches(name, SECTIONS, n=1)
            hint = f"did you mean chat.{near[0]}?" if near else f"known are {', '.join(SECTIONS)}"
            faults.append(f"chat.{name}: no such adapter; {hint}")
            continue
        try:
            sections[name] = convert_section(section, SECTIONS[name], f"chat.{name}")
        except SettingsError as error:
            faults += error.faults
    if faults:
        raise SettingsError(faults)
    return sections


def make_adapters(settings: Settings, link: Link, keys: Keys) -> list[Adapter]:
    """Return the adapters the settings name.

    Raises:
        SettingsError: with every fault of every section.
    """
    makers: Mapping[str, Callable[[Any], Adapter]] = {
        "console": lambda _: ConsoleAdapter(link, keys),
        "irc": lambda section: IrcAdapter(section, bot_name=settings.bot.name),
    }
    return [makers[name](section) for name, section in read_sections(settings).items()]
