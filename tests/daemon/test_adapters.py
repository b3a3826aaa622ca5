"""Which adapters the settings give a node, and every fault of their sections at once."""

from __future__ import annotations

import pytest

from hachat.core.errors import SettingsError
from hachat.core.settings import Settings
from hachat.daemon.adapters import make_adapters, read_sections
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.source import Direct


def test_each_section_makes_an_adapter() -> None:
    """The console needs nothing, IRC its host."""
    settings = Settings(chat={"console": {}, "irc": {"host": "irc.example.org"}})

    adapters = make_adapters(settings, Link(Direct("redis://127.0.0.1:1")), Keys("c"))

    assert [adapter.name for adapter in adapters] == ["console", "irc"]


def test_every_fault_of_every_section_is_reported() -> None:
    """Unknown adapters name the nearest, unknown keys too, all in one report."""
    settings = Settings(chat={"icr": {}, "irc": {"hots": "x"}, "console": {"a": 1}})

    with pytest.raises(SettingsError) as caught:
        read_sections(settings)

    text = "\n".join(caught.value.faults)
    assert "chat.icr: no such adapter; did you mean chat.irc?" in text
    assert "chat.irc.hots" in text
    assert "chat.console.a" in text
