"""What `[chat.irc]` takes and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from hachat.chat.irc.settings import IrcSettings
from hachat.core.errors import SettingsError
from hachat.core.sections import convert_section


def convert(**values: Any) -> IrcSettings:
    """Return the section that `values` make."""
    return convert_section({"host": "irc.test.invalid", **values}, IrcSettings, "chat.irc")


def test_least_settings() -> None:
    """A host is enough."""
    assert convert().address == ("irc.test.invalid", 6667)
    with pytest.raises(SettingsError, match="host: is required"):
        convert_section({}, IrcSettings, "chat.irc")


def test_port_follows_tls() -> None:
    """The port is the usual one with or without TLS, unless it is set."""
    assert convert(tls=True).address == ("irc.test.invalid", 6697)
    assert convert(tls=True, port=7000).address == ("irc.test.invalid", 7000)


def test_channels() -> None:
    """Channels are listed by name, and with their key where they have one."""
    assert convert(channels=["#ops", "#dev key"]).channels == ("#ops", "#dev key")


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"nick": "two words"}, "nick 'two words'"),
        ({"user": "two words"}, "user 'two words'"),
        ({"channels": ["#a,#b"]}, "channel '#a,#b'"),
        ({"channels": ["#a key key"]}, "channel '#a key key'"),
        ({"encoding": "klingon"}, "encoding 'klingon'"),
        ({"encoding": "utf-16"}, "encoding 'utf-16'"),
        ({"sasl_username": "bot"}, "sasl_username and sasl_password"),
        ({"burst": 0}, "burst"),
        ({"interval": 0}, "interval"),
        ({"port": 70000}, "port"),
    ],
)
def test_faults(values: dict[str, Any], fault: str) -> None:
    """What cannot work is refused in words."""
    with pytest.raises(SettingsError, match=fault):
        convert(**values)
