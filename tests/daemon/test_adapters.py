"""Which adapters the settings give a node, and every fault of their sections at once."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint
from typing import Any

import msgspec
import pytest

from hachat.core.errors import SettingsError
from hachat.core.settings import Settings
from hachat.daemon import adapters
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
    assert "chat.icr: no such adapter; did you mean irc?" in text
    assert "chat.irc.hots" in text
    assert "chat.console.a" in text


class Settings2(msgspec.Struct):
    """What the section of an installed adapter may say."""

    token: str


class Installed:
    """An adapter of a package."""

    Settings = Settings2

    def __init__(self, settings: Settings2, *, name: str) -> None:
        if settings.token == "bad":
            raise OSError("the token is bad")
        self.name = name
        self.token = settings.token


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages offer adapters, of which one cannot be imported."""
    entries = [
        EntryPoint("pigeon", f"{__name__}:Installed", adapters.GROUP),
        EntryPoint("broken", f"{__name__}:NoSuchThing", adapters.GROUP),
    ]
    monkeypatch.setattr(adapters, "entry_points", lambda group: entries)


def make(**chat: dict[str, object]) -> list[Any]:
    """Return the adapters of these sections."""
    return make_adapters(Settings(chat=chat), Link(Direct("redis://127.0.0.1:1")), Keys("c"))


@pytest.mark.usefixtures("installed")
def test_packages_bring_adapters() -> None:
    """By their entry points; one that is not in use is not imported."""
    (made,) = make(pigeon={"token": "t"})
    assert (made.name, made.token) == ("pigeon", "t")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("chat", "fault"),
    [
        ({"broken": {}}, f"chat.broken: the adapter {__name__}:NoSuchThing cannot be loaded: Attr"),
        ({"pigeon": {}}, "chat.pigeon.token"),
        ({"pigeon": {"token": "bad"}}, "'pigeon' cannot be made: OSError: the token is bad"),
        ({"pidgeon": {}}, "chat.pidgeon: no such adapter; did you mean pigeon?"),
        ({"b": {"adapter": "console"}}, "there is one console"),
    ],
)
def test_what_is_wrong_with_them_is_told(chat: dict[str, dict[str, object]], fault: str) -> None:
    """With the section that names them."""
    with pytest.raises(SettingsError, match=re.escape(fault)):
        make(**chat)


def test_a_service_may_be_there_twice() -> None:
    """Under names of their own: two networks, one bot."""
    found = make(libera={"adapter": "irc", "host": "a.example"}, irc={"host": "b.example"})
    assert [adapter.name for adapter in found] == ["libera", "irc"]
