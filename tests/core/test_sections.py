"""Sections as a plugin's author declares them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from hachat.core.errors import SettingsError
from hachat.core.sections import EnvironmentText, convert_section, list_paths, read_secrets


class Proxy(Struct, frozen=True, kw_only=True):
    """A section within a section."""

    host: str
    password: str = ""


class Irc(Struct, frozen=True, kw_only=True):
    """A section with one field of each kind."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 6697
    tls: bool = True
    rate: float = 2.0
    nick: str | None = None
    mode: Literal["fast", "safe"] = "safe"
    rooms: tuple[str, ...] = ()
    keys: dict[str, str] = {}
    proxy: Proxy | None = None
    relay: Proxy = Proxy(host="relay")
    raw: dict[str, Any] = {}
    token: str = ""

    def check(self) -> Iterator[str]:
        """Yield what cannot work together."""
        if self.tls and self.port == 6667:
            yield "port 6667 speaks no TLS"


class Picky(Struct, frozen=True):
    """A section that refuses by itself."""

    low: int
    high: int

    def __post_init__(self) -> None:
        """Refuse what is upside down."""
        if self.low > self.high:
            raise ValueError("low is above high")


def faults(data: object, kind: type[Struct] = Irc) -> tuple[str, ...]:
    """Return what is wrong with `data`."""
    with pytest.raises(SettingsError) as caught:
        convert_section(data, kind, "chat.irc")
    return caught.value.faults


def test_converts() -> None:
    """A section is filled from plain data, with defaults for the rest."""
    data = {"host": "h", "rate": 1, "rooms": ["#a"], "keys": {"a": "b"}, "proxy": {"host": "p"}}

    assert convert_section(data, Irc, "chat.irc") == Irc(
        host="h", rate=1.0, rooms=("#a",), keys={"a": "b"}, proxy=Proxy(host="p")
    )


def test_every_fault_is_reported() -> None:
    """One mistake does not hide another, at any depth."""
    data = {"prot": 1, "rate": "2", "keys": {"a": 1, "b": 2}, "relay": {"hots": "x"}, "rooms": [1]}

    assert sorted(faults(data)) == [
        "chat.irc.host: is required",
        "chat.irc.keys.a: expected text, got 1",
        "chat.irc.keys.b: expected text, got 2",
        "chat.irc.prot: unknown; did you mean chat.irc.port?",
        "chat.irc.rate: expected a number, got '2'",
        "chat.irc.relay.host: is required",
        "chat.irc.relay.hots: unknown; did you mean chat.irc.relay.host?",
        "chat.irc.rooms[0]: expected text, got [1]",
    ]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"port": 5.5}, "chat.irc.port: expected a whole number, got 5.5"),
        ({"port": True}, "chat.irc.port: expected a whole number, got True"),
        ({"port": 0}, "chat.irc.port: expected a whole number >= 1, got 0"),
        ({"tls": 1}, "chat.irc.tls: expected true or false, got 1"),
        ({"nick": 1}, "chat.irc.nick: expected text or nothing, got 1"),
        ({"mode": "slow"}, "chat.irc.mode: expected one of 'fast', 'safe', got 'slow'"),
        ({"mode": 1}, "chat.irc.mode: expected one of 'fast', 'safe', got 1"),
        ({"rooms": "#a"}, "chat.irc.rooms: expected a list, got '#a'"),
        ({"keys": []}, "chat.irc.keys: expected a table, got []"),
        ({"relay": 1}, "chat.irc.relay: expected a table, got 1"),
        ({"proxy": {"host": 1}}, "chat.irc.proxy.host: expected text, got {'host': 1}"),
        ({"port": 6667}, "chat.irc: port 6667 speaks no TLS"),
    ],
)
def test_each_fault_has_its_sentence(data: dict[str, Any], fault: str) -> None:
    """A fault says where it is, what was expected and what was given."""
    assert faults({"host": "h", **data}) == (fault,)


def test_no_fault_shows_a_secret() -> None:
    """What was given is not printed where it may be a secret."""
    data = {
        "host": {"password": "hunter2"},
        "port": "http://u:hunter2@h",
        "token": ["hunter2"],
        "relay": {"host": "h", "password": 72},
    }

    report = "\n".join(faults(data))

    assert "hunter2" not in report
    assert "chat.irc.relay.password: expected text, got a value that is not shown" in report


def test_section_that_refuses_by_itself() -> None:
    """A ValueError of the struct's own is a fault like others."""
    assert faults({"low": 2, "high": 1}, Picky) == ("chat.irc: low is above high",)


def test_not_a_table() -> None:
    """Something else in a section's place is a fault."""
    assert faults(5) == ("chat.irc: expected a table, got 5",)


def test_environment_text_is_converted_leniently() -> None:
    """Text from the environment may spell numbers, truth values and lists of two kinds."""
    data: dict[str, Any] = {
        "host": "5",
        "port": "7",
        "tls": "false",
        "rate": "1.5",
        "rooms": "#a, #b,",
    }
    text = {key: EnvironmentText(value) for key, value in data.items()}

    assert convert_section(text, Irc, "chat.irc") == Irc(
        host="5", port=7, tls=False, rate=1.5, rooms=("#a", "#b")
    )
    text["rooms"] = EnvironmentText('["#a,b"]')
    assert convert_section(text, Irc, "chat.irc").rooms == ("#a,b",)


def test_environment_text_is_named_as_such() -> None:
    """Faults of environment variables name the variable, and the nearest one."""
    data = {
        "host": "h",
        "port": EnvironmentText("many"),
        "rooms": EnvironmentText("[1"),
        "rely": {"host": EnvironmentText("x"), "prot": EnvironmentText("x")},
    }

    assert sorted(faults(data)) == [
        "HACHAT__CHAT__IRC__PORT: expected a whole number, got 'many'",
        "HACHAT__CHAT__IRC__RELY__HOST: unknown; did you mean HACHAT__CHAT__IRC__RELAY__HOST?",
        "HACHAT__CHAT__IRC__RELY__PROT: unknown; did you mean HACHAT__CHAT__IRC__PORT?",
        "HACHAT__CHAT__IRC__ROOMS: expected a list, got '[1'",
    ]


def test_raw_tables_keep_environment_text() -> None:
    """A table nobody has typed yet is passed on as it came, for its owner to convert."""
    section = convert_section({"host": "h", "raw": {"n": EnvironmentText("5")}}, Irc, "chat.irc")

    assert isinstance(section.raw["n"], EnvironmentText)


def test_a_key_in_the_wrong_table_is_found() -> None:
    """A name that is right elsewhere is suggested there; one that is near nothing gets no suggestion."""
    assert faults({"host": "h", "relay": {"host": "h", "port": 1}, "zzz": 1}) == (
        "chat.irc.zzz: unknown",
        "chat.irc.relay.port: unknown; did you mean chat.irc.port?",
    )


def test_paths() -> None:
    """Every setting is listed by its dotted name."""
    assert list(list_paths(Proxy, "chat.irc.relay")) == [
        "chat.irc.relay.host",
        "chat.irc.relay.password",
    ]
    assert "relay.host" in list(list_paths(Irc))


def test_secrets_are_read() -> None:
    """`<secret>_file` becomes the secret at any depth; other files stay names."""
    found: list[str] = []
    data = {"tls_file": "x", "a": {"b": {"token_file": "t"}}, "password_file": EnvironmentText("p")}

    plain = read_secrets(data, "content of {}".format, found)

    assert plain == {
        "tls_file": "x",
        "a": {"b": {"token": "content of t"}},
        "password": "content of p",
    }
    assert not found


def test_secrets_that_cannot_be_read() -> None:
    """A secret given twice, or one that cannot be read, is a fault."""
    found: list[str] = []

    def refuse(name: str) -> str:
        raise FileNotFoundError(2, "No such file", name)

    read_secrets({"a": {"token": "x", "token_file": "t"}, "password_file": "p"}, refuse, found)

    assert found == [
        "a.token_file: a.token is set too; keep one",
        "password_file: cannot read 'p': No such file",
    ]
