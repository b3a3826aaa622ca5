"""What the settings say about who may do what."""

from __future__ import annotations

from typing import Any

import pytest

from hachat.core.access import AccessSettings, Rule, is_group, matches
from hachat.core.errors import SettingsError
from hachat.core.settings import build


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("irc/ada", "irc/ada", True),
        ("irc/ada", "irc/Ada", False),
        ("irc/ada", "irc/adam", False),
        ("irc/*", "irc/ada", True),
        ("irc/*", "matrix/ada", False),
        ("irc/ad?", "irc/ada", True),
        ("irc/[bot]", "irc/[bot]", True),
        ("irc/[bot]", "irc/b", False),
        ("irc/[!a]", "irc/b", False),
        ("irc/*!*@home.example", "irc/ada!a@home.example", True),
        ("*", "anything\nat all", True),
        ("", "irc/ada", False),
    ],
)
def test_globs(pattern: str, text: str, found: bool) -> None:  # noqa: FBT001 - a table
    """Stars and question marks stand for others, brackets and letters for themselves."""
    assert matches(pattern, text) is found


def test_members_and_admins() -> None:
    """Who is named in the settings is in that group, and in no other."""
    settings = AccessSettings(admins=("irc/ada",), groups={"ops": ("irc/b*",)})

    assert settings.is_admin("irc/ada")
    assert not settings.is_admin("irc/bob")
    assert settings.is_member("irc/bob", ["dev", "ops"])
    assert not settings.is_member("irc/bob", ["dev"])
    assert not settings.is_member("irc/ada", ["ops"])


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (Rule(effect="deny"), True),
        (Rule(effect="deny", user="irc/ada", room="irc/#ops", command="deploy.*"), True),
        (Rule(effect="deny", command="deploy production*"), True),
        (Rule(effect="deny", command="DEPLOY  production*"), True),
        (Rule(effect="deny", command="deploy"), False),
        (Rule(effect="deny", user="irc/bob"), False),
        (Rule(effect="deny", room="irc/#lab"), False),
    ],
)
def test_what_a_rule_describes(rule: Rule, found: bool) -> None:  # noqa: FBT001 - a table
    """All it names must fit; neither case nor blanks make another command."""
    said = "Deploy   PRODUCTION now"
    assert rule.describes("irc/ada", "irc/#ops", "deploy.ship", said) is found


def test_the_first_rule_decides() -> None:
    """Later ones are for what it does not describe."""
    allow, deny = Rule(effect="allow", user="irc/ada"), Rule(effect="deny")
    settings = AccessSettings(rules=(allow, deny))

    assert settings.find_rule("irc/ada", "irc/#ops", "a.b", "x") == allow
    assert settings.find_rule("irc/bob", "irc/#ops", "a.b", "x") == deny
    assert AccessSettings().find_rule("irc/ada", "irc/#ops", "a.b", "x") is None


@pytest.mark.parametrize(
    ("name", "usable"),
    [("ops", True), ("on-call_2", True), ("", False), ("Ops", False), ("a b", False)],
)
def test_names_of_groups(name: str, usable: bool) -> None:  # noqa: FBT001 - a table
    """A group's name can be written in a command."""
    assert is_group(name) is usable


@pytest.mark.parametrize(
    ("access", "fault"),
    [
        ({"groups": {"Ops": []}}, "access: groups.Ops: expected a name of a-z"),
        ({"groups": {"admins": ["irc/ada"]}}, "write them into access.admins"),
        ({"rules": [{"effect": "perhaps"}]}, "access.rules"),
        ({"rules": [{"effect": "deny", "who": "irc/ada"}]}, "access.rules"),
        ({"rules": [{"user": "irc/ada"}]}, "access.rules"),
        ({"admin": ["irc/ada"]}, "did you mean access.admins"),
    ],
)
def test_what_cannot_be_meant_is_refused(access: dict[str, Any], fault: str) -> None:
    """A rule that is misspelt must not be overlooked."""
    with pytest.raises(SettingsError, match=fault):
        build({"access": access}, origin="test")


def test_it_is_read_from_the_settings() -> None:
    """As operators write it."""
    access = {
        "admins": ["irc/ada"],
        "groups": {"ops": ["irc/bob"]},
        "rules": [{"effect": "deny", "room": "irc/#public"}],
    }
    assert build({"access": access}, origin="test").access == AccessSettings(
        admins=("irc/ada",),
        groups={"ops": ("irc/bob",)},
        rules=(Rule(effect="deny", room="irc/#public"),),
    )
