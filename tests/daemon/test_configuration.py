"""Reading settings: files, the environment, secrets, and what a reload may change."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from msgspec import Struct

from hachat.core.errors import SettingsError
from hachat.core.sections import convert_section, list_paths
from hachat.core.settings import (
    BotSettings,
    LeaseSettings,
    LogSettings,
    Settings,
    build,
)
from hachat.daemon import configuration
from hachat.daemon.configuration import RELOADABLE, changes, find, load

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/hachat.toml"


class Port(Struct, frozen=True):
    """A plugin's section."""

    port: int


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file that sets nothing."""
    path = tmp_path / "hachat.toml"
    path.write_text("")
    return path


def faults(path: Path | None, environ: dict[str, str]) -> tuple[str, ...]:
    """Return what is wrong."""
    with pytest.raises(SettingsError) as caught:
        load(path, environ)
    return caught.value.faults


def test_the_node_is_named_for_its_host(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name of its own a node has the first label of the host's; a name of its own wins."""
    monkeypatch.setattr("socket.gethostname", lambda: "web-1.example.org")

    assert load(file, {}).node == "web-1"
    assert load(file, {"HACHAT__NODE": "a"}).node == "a"
    file.write_text("node = 'b'")
    assert load(file, {}).node == "b"


def test_the_environment_wins(file: Path) -> None:
    """Variables override the file, with lists and the sections of plugins among them."""
    file.write_text("[lease]\nttl = 6\nmargin = 0.4\n[chat.irc]\nport = 1\n")
    environ = {
        "HACHAT__LEASE__TTL": "7",
        "HACHAT__BOT__ALIASES": "!,bot",
        "HACHAT__REDIS__TLS": "true",
        "HACHAT__CHAT__IRC__PORT": "2",
        "HACHAT__HANDLER__DEPLOY__LEVEL": "warning",
        "HACHAT_CONFIG": "ignored",
        "PATH": "ignored",
    }

    settings = load(file, environ)

    assert settings.lease == LeaseSettings(ttl=7.0, margin=0.4)
    assert settings.bot.aliases == ("!", "bot")
    assert settings.redis.tls
    assert settings.handler == {"deploy": {"level": "warning"}}
    assert convert_section(settings.chat["irc"], Port, "chat.irc") == Port(port=2)


def test_faults_of_the_environment_and_the_file_come_together(file: Path) -> None:
    """Unknown variables name the nearest known one, in the same report as the file's faults."""
    file.write_text("clutser = 'x'\nlog = 5\n")
    environ = {
        "HACHAT__REDIS__ULR": "x",
        "HACHAT__REDS__URL": "x",
        "HACHAT__LEASE__TTL": "long",
        "HACHAT__WEB": "8080",
        "HACHAT__WEB__PORT": "8080",
        "HACHAT__LOG__LEVEL": "debug",
        "HACHAT__": "x",
    }

    assert sorted(faults(file, environ)) == [
        "HACHAT__: unknown",
        "HACHAT__LEASE__TTL: expected a number, got 'long'",
        "HACHAT__REDIS__ULR: unknown; did you mean HACHAT__REDIS__URL?",
        "HACHAT__REDS__URL: unknown; did you mean HACHAT__REDIS__URL?",
        "HACHAT__WEB: expected a table, got '8080'",
        "clutser: unknown; did you mean cluster?",
        "log: expected a table, got 5",
    ]


def test_secrets_come_from_files_beside_the_settings(file: Path) -> None:
    """A relative name starts at the settings' folder; white space around the secret is cut off."""
    (file.parent / "secret").write_text(" hunter2 \n")
    file.write_text("redis.password_file = 'secret'\nchat.irc.password_file = 'secret'\n")

    settings = load(file, {})

    assert settings.redis.password == "hunter2"
    assert settings.chat["irc"] == {"password": "hunter2"}


def test_secrets_come_from_systemd_credentials(file: Path, tmp_path: Path) -> None:
    """`credential:NAME` is read from the directory that systemd names."""
    (tmp_path / "redis-password").write_text("hunter2\n")
    file.write_text("redis.password_file = 'credential:redis-password'")

    assert load(file, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).redis.password == "hunter2"
    assert faults(file, {}) == (
        (
            "redis.password_file: cannot read 'credential:redis-password':"
            " systemd passed no credentials; LoadCredential= in the unit does"
        ),
    )


def test_secrets_that_cannot_be_read_are_faults(file: Path) -> None:
    """Missing, empty and doubled secrets are all in one report."""
    (file.parent / "empty").write_text("\n")
    file.write_text(
        "chat.irc = {password_file = 'none'}\nchat.slack = {token_file = 'empty'}\n"
        "redis = {password = 'x', password_file = 'empty'}\n"
    )

    assert sorted(faults(file, {})) == [
        "chat.irc.password_file: cannot read 'none': No such file or directory",
        "chat.slack.token_file: cannot read 'empty': the file is empty",
        "redis.password_file: redis.password is set too; keep one",
    ]


def test_a_secret_of_the_environment_replaces_the_file_s(file: Path) -> None:
    """Secret or secret's file, the environment wins over both; but it must not give both itself."""
    (file.parent / "secret").write_text("from a file")
    (file.parent / "other").write_text("from another")
    both = {"HACHAT__REDIS__PASSWORD": "x", "HACHAT__REDIS__PASSWORD_FILE": "other"}
    file.write_text("redis.password_file = 'secret'")

    assert load(file, {"HACHAT__REDIS__PASSWORD": "x"}).redis.password == "x"
    assert load(file, {"HACHAT__REDIS__PASSWORD_FILE": "other"}).redis.password == "from another"
    assert faults(file, both) == (
        "HACHAT__REDIS__PASSWORD_FILE: redis.password is set too; keep one",
    )
    file.write_text("redis.password = 'x'")
    assert load(file, {"HACHAT__REDIS__PASSWORD_FILE": "other"}).redis.password == "from another"


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """The report names the file and the remedy."""
    with pytest.raises(
        SettingsError, match=r"none\.toml: 1 fault.*\n.*No such file.*HACHAT_CONFIG"
    ):
        load(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a = 1\nb = \n", "not TOML: Invalid value (at line 2, column 5)"),
        (b"a = '\xff'", "not UTF-8 at byte 5; settings are TOML, which is always UTF-8"),
        (b"a = " + b"9" * 5000, "not TOML: Exceeds the limit"),
    ],
)
def test_broken_toml_names_the_place(file: Path, content: bytes, fault: str) -> None:
    """What the parser stumbled over is said with line and column."""
    file.write_bytes(content)

    (found,) = faults(file, {})

    assert found.startswith(fault)


def test_a_byte_order_mark_is_passed_over(file: Path) -> None:
    """Some editors put one in front."""
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    load(file, {})


def test_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First what HACHAT_CONFIG names, then here, then /etc; none at all names the three."""
    monkeypatch.chdir(tmp_path)
    system = tmp_path / "etc.toml"
    monkeypatch.setattr(configuration, "PLACES", (Path("hachat.toml"), system))

    (nothing,) = faults(None, {})
    assert "$HACHAT_CONFIG is not set" in nothing
    assert f"hachat.toml and {system} are missing" in nothing
    system.write_text("")
    assert find({}) == system
    Path("hachat.toml").write_text("cluster = 'here'")
    assert load(None, {}).cluster == "here"
    assert find({"HACHAT_CONFIG": "named.toml"}) == Path("named.toml")


def test_an_unreadable_folder_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that may not be looked into is reported, rather than taken for empty."""

    def refuse(_: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "exists", refuse)

    assert find({}) == configuration.PLACES[0]


def test_changes_tell_what_needs_a_restart() -> None:
    """Some settings change at once; sections of plugins and all others need a restart."""
    old = Settings(chat={"irc": {"port": 1, "nick": "a"}})
    new = Settings(
        node="b",
        bot=BotSettings(name="x", aliases=("!",)),
        log=LogSettings(level="debug"),
        chat={"irc": {"port": 2, "nick": "a"}, "console": {}},
    )

    assert changes(old, new) == (
        ["bot.aliases", "log.level"],
        ["bot.name", "chat.console", "chat.irc.port", "node"],
    )
    assert changes(old, old) == ([], [])


def test_what_is_reloadable_exists_and_is_documented() -> None:
    """The list names real settings, and the reference marks exactly these."""
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")

    assert set(list_paths(Settings)) >= RELOADABLE
    assert set(re.findall(r"^\| `([a-z_.]+)` .*\| yes \|", page, re.MULTILINE)) == RELOADABLE


def test_the_example_loads() -> None:
    """The example is valid as it is."""
    settings = load(EXAMPLE, {})

    assert settings.node == "bot-1"
    assert settings.chat == {"console": {}}


def test_the_example_shows_every_setting_with_its_default() -> None:
    """With the defaults uncommented and its own values removed, the example is what nothing set means."""
    text = re.sub("^#(?! )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    data = tomllib.loads(text)

    for path in list_paths(Settings):
        table = data
        for key in path.split("."):
            assert key in table or path == "handler", path
            table = table.get(key, {})
    data["node"], data["bot"]["aliases"] = "x", []
    assert build(data, origin=str(EXAMPLE)) == Settings(node="x")
