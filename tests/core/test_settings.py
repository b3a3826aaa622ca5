"""The settings themselves: defaults, limits, impossible timings, printing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.errors import SettingsError
from hachat.core.redis_settings import RedisSettings
from hachat.core.sections import EnvironmentText, list_paths
from hachat.core.settings import LeaseSettings, Settings, build, masked, warnings

ROOT = Path(__file__).parents[2]


def faults(data: dict[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with `data`."""
    with pytest.raises(SettingsError) as caught:
        build(data, origin="test.toml")
    return caught.value.faults


def test_defaults_work() -> None:
    """Nothing set is fine, and leaves nothing to warn of."""
    assert build({}, origin="none") == Settings()
    assert warnings(Settings()) == []


def test_tables_are_filled() -> None:
    """What is set replaces the default and nothing else."""
    data = {"lease": {"ttl": 6}, "chat": {"irc": {"port": 1}}, "handler": {"deploy": {}}}

    settings = build(data, origin="test.toml")

    assert settings.lease == LeaseSettings(ttl=6.0)
    assert settings.chat == {"irc": {"port": 1}}
    assert settings.redis == RedisSettings()


def test_every_fault_is_in_one_report() -> None:
    """Names, types, ranges, secrets and timings are all reported together, with the origin."""
    data = {
        "cluster": "a b",
        "redis": {"ulr": "x", "password": "a", "password_file": "b"},
        "lease": {"renew": 2, "lock_delay": -1.0},
        "worker": {"heartbeat": 4},
        "web": {"port": 70000},
        "log": {"level": "loud"},
        "chat": {"irc": 5},
        "node_": "x",
    }

    with pytest.raises(SettingsError) as caught:
        build(data, origin="test.toml")

    assert caught.value.origin == "test.toml"
    assert sorted(caught.value.faults) == [
        "chat.irc: expected a table, got 5",
        (
            "cluster: expected a name without '/', ':', '{', '}' or white space, because keys are made of it,"
            " got 'a b'"
        ),
        "lease.lock_delay: expected a number >= 0.0, got -1.0",
        "log.level: expected one of 'debug', 'info', 'warning', 'error', 'critical', got 'loud'",
        "node_: unknown; did you mean node?",
        "redis.password_file: redis.password is set too; keep one",
        "redis.ulr: unknown; did you mean redis.url?",
        "web.port: expected a whole number <= 65535, got 70000",
        (
            "worker: 3 * heartbeat 4 = 12 s is more than node_ttl 9 s;"
            " raise node_ttl to at least 12 or lower heartbeat"
        ),
    ]


def test_impossible_timings_are_spelled_out() -> None:
    """The sum that must fit into the lease is shown with its numbers and a remedy."""
    assert faults({"lease": {"renew": 2}}) == (
        (
            "lease: renew 2 + 2 * op_timeout 0.4 + margin 0.5 + send_timeout 2 = 5.3 s is more than ttl 5 s;"
            " raise ttl to at least 5.3 or lower one of the others"
        ),
    )


def test_a_lock_delay_that_a_term_could_outlive_is_refused() -> None:
    """A longer lease needs a longer lock-delay, or two masters could meet after a failover of Redis."""
    assert faults({"lease": {"ttl": 8}}) == (
        "lease: lock_delay 7 s is less than ttl 8 s: a term could outlive it; raise lock_delay to at least 8",
    )


def test_timings_that_just_fit() -> None:
    """Equality is allowed, rounding of binary fractions included."""
    timings = {"ttl": 1.0, "renew": 0.1, "op_timeout": 0.1, "margin": 0.3, "send_timeout": 0.4}

    assert build({"lease": timings}, origin="test.toml").lease.ttl == 1.0


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "{a", "a}", "a\tb"])
def test_names_that_cannot_be_part_of_keys(name: str) -> None:
    """Cluster and node are refused where they would break a key or a token."""
    assert len(faults({"cluster": name, "node": name})) == 2


@pytest.mark.parametrize(
    "redis",
    [
        {"url": "http://host"},
        {"url": "redis://host:port/0"},
        {"url": "redis://[/"},
        {"url": ""},
        {"sentinels": ["host"]},
        {"sentinels": ["host:0"]},
        {"sentinels": [":1"]},
        {"sentinels": ["a:1"], "url": "redis://elsewhere"},
        {"sentinels": ["a:1"], "service": ""},
        {"replicas": -1},
        {"timeout": float("inf")},
        {"timeout": float("nan")},
    ],
)
def test_where_redis_cannot_be(redis: dict[str, Any]) -> None:
    """An address that cannot work, none at all, or two, is one fault."""
    assert len(faults({"redis": redis})) == 1


@pytest.mark.parametrize(
    "redis",
    [
        {"url": "unix:///run/redis.sock"},
        {"url": "rediss://u:p@h:1/2"},
        {"sentinels": ["a:1", "[::1]:65535"], "url": ""},
        {"sentinels": ["a:26379"]},
    ],
)
def test_where_redis_can_be(redis: dict[str, Any]) -> None:
    """One server or several Sentinels will do."""
    build({"redis": redis}, origin="test.toml")


@pytest.mark.parametrize(
    ("redis", "replicas"),
    [
        ({}, 0),
        ({"replicas": 1}, 1),
        ({"sentinels": ["a:1"]}, 1),
        ({"sentinels": ["a:1"], "replicas": 0}, 0),
        ({"sentinels": ["a:1"], "replicas": 2}, 2),
    ],
)
def test_replicas_follow_from_the_sentinels(redis: dict[str, Any], replicas: int) -> None:
    """Who has Sentinels has replicas, and one is asked to confirm; a number that is set stays."""
    assert build({"redis": redis}, origin="test.toml").redis.replicas == replicas


def test_a_login_in_a_url_is_not_reported() -> None:
    """Even a URL that is refused keeps its password to itself."""
    assert "hunter2" not in "".join(faults({"redis": {"url": "http://u:hunter2@h"}}))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"bot": {"language": "German"}}, "bot.language: expected a language, such as en or de_AT"),
        ({"bot": {"admins_room": "ops"}}, "bot.admins_room: expected the address of a room"),
        ({"bot": {"ignore": ["bob"]}}, "bot.ignore: expected addresses, such as irc/ada"),
        ({"access": {"admins": ["root"]}}, "access: admins: expected addresses"),
        ({"access": {"groups": {"ops": ["bob"]}}}, "access: groups.ops: expected addresses"),
        (
            {"access": {"rules": [{"effect": "maybe"}]}},
            "access.rules[0].effect: expected one of 'allow', 'deny', got 'maybe'",
        ),
        ({"access": {"rules": [{"efect": "deny"}]}}, "access.rules[0].efect: unknown"),
        ({"redis": {"url": "redis://h:99999/0"}}, "redis.url: expected a port between 1 and 65535"),
    ],
)
def test_faults_say_what_to_write(data: dict[str, Any], fault: str) -> None:
    """In words, and with an example where that tells more."""
    assert any(one.startswith(fault) for one in faults(data)), faults(data)


def test_everybody_may_be_meant_in_every_way() -> None:
    """By a star alone, too."""
    access = {"admins": ["*"], "groups": {"ops": ["*/ada", "irc/*"]}}
    settings = build({"access": access, "chat": {"irc": {}}}, origin="test.toml")
    assert warnings(settings) == []


def test_members_of_no_service_are_warned_of() -> None:
    """They can never say anything."""
    settings = build({"access": {"admins": ["irk/ada"]}}, origin="test.toml")
    (warning,) = warnings(settings)
    assert warning.startswith("access.admins: irk/ada is of no service that is set up")


def test_warnings_of_what_promises_less() -> None:
    """Sentinels need a longer lease, confirmed by a replica."""
    settings = Settings(
        lease=LeaseSettings(ttl=4, renew=0.7), redis=RedisSettings(sentinels=("a:1",), replicas=0)
    )

    failover, replicas = warnings(settings)

    assert failover.startswith("lease: ttl 4 - margin 0.5 = 3.5 s is less than 4.2 s")
    assert failover.endswith("raise ttl to 4.7")
    assert replicas.startswith("redis: replicas 0 with Sentinels")


def test_masked_hides_secrets_of_plugins_too() -> None:
    """What is printed holds no secret, wherever it was set, and is plain data."""
    settings = Settings(
        redis=RedisSettings(url="redis://:hunter2@h", password="hunter2"),
        chat={"irc": {"token": "hunter2", "nick": EnvironmentText("bot")}},
    )

    plain = masked(settings)

    assert "hunter2" not in repr(plain)
    assert plain["redis"]["url"] == "redis://****@h"
    assert plain["redis"]["password"] == "****"
    assert plain["redis"]["sentinel_password"] == ""
    assert plain["chat"] == {"irc": {"token": "****", "nick": "bot"}}
    assert msgspec.json.encode(plain)


TEXT = st.text() | st.text(st.sampled_from('[]"1a,')) | st.just("[1]")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | TEXT.map(EnvironmentText)
NAMES = st.sampled_from(
    [name for path in list_paths(Settings) for name in (path.rpartition(".")[2], f"{path}_file")]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | NAMES, inner),
    max_leaves=3,
)


def sections(kind: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, Any]]:
    """Return data of the right shape and wrong values."""
    fields = msgspec.structs.fields(kind)
    parts = {
        field.name: sections(field.type) | JSON
        if isinstance(field.default, msgspec.Struct)
        else JSON
        for field in fields
    }
    return st.fixed_dictionaries({}, optional=parts)


@given(sections(Settings) | st.dictionaries(st.text() | NAMES, JSON))
def test_nothing_but_a_settings_error_is_ever_raised(data: dict[str, Any]) -> None:
    """Whatever the data, the answer is settings or a report."""
    try:
        build(data, origin="anything")
    except SettingsError as error:
        assert error.faults  # noqa: PT017 -- either outcome is right


def leaves(kind: type[msgspec.Struct], path: str = "") -> dict[str, Any]:
    """Return the dotted name and default of every setting."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        default = field.default
        if default is msgspec.NODEFAULT:
            default = field.default_factory()
        if isinstance(default, msgspec.Struct):
            found |= leaves(type(default), f"{path}{field.name}.")
        else:
            found[path + field.name] = default
    return found


def test_the_reference_names_every_setting_and_default() -> None:
    """`docs/settings.md` has one row for each setting, with its default, and none for anything else."""
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| .*? \| `([^`]*)` \| (?:yes)? ?\| .+ \|$", page, re.MULTILINE
    )

    documented = {name: msgspec.json.decode(default) for name, default in rows}

    assert documented == {
        name: msgspec.to_builtins(default) for name, default in leaves(Settings).items()
    } | {
        "access.admins": [],
        "access.rules": [],
        "bot.aliases": [],
        "bot.ignore": [],
        "handlers": [],
        "redis.sentinels": [],
        "redis.replicas": 0,
    }
