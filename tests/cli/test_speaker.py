"""As whom and where somebody speaks, and what they may change of it."""

from __future__ import annotations

import os
import pwd

import pytest

from hachat.cli.speaker import Speaker, find_login, is_order, make_speaker, obey, unescape
from hachat.core.errors import UsageError

HOME = Speaker("alice")


@pytest.mark.parametrize(
    ("orders", "speaker", "place", "described"),
    [
        ([], HOME, "console-alice", ""),
        (["/as bob"], Speaker("bob"), "console-bob", "as bob"),
        (["/in #lab"], Speaker("alice", "#lab"), "#lab", "in #lab"),
        (
            ["/as console/bob", "/in  console/#lab "],
            Speaker("bob", "#lab"),
            "#lab",
            "as bob in #lab",
        ),
        (
            ["/as Bob the Builder"],
            Speaker("Bob the Builder"),
            "console-Bob the Builder",
            "as Bob the Builder",
        ),
        (["/as bob", "/in #lab", "/as"], Speaker("alice", "#lab"), "#lab", "in #lab"),
        (["/as bob", "/in #lab", "/in"], Speaker("bob"), "console-bob", "as bob"),
        (["/as bob", "/in #lab", "/in", "/as "], HOME, "console-alice", ""),
    ],
)
def test_orders_change_who_speaks_where(
    orders: list[str], speaker: Speaker, place: str, described: str
) -> None:
    """Each changes one of the two, and without a name sets it back; whoever has no room is alone with the bot."""
    now = HOME
    for order in orders:
        now = obey(order, now, HOME)

    assert now == speaker
    assert now.place == place
    assert now.describe(HOME) == described


def test_the_beginning_is_what_was_asked_for() -> None:
    """Not the login name and its room, where others were named."""
    home = make_speaker("carl", "ops")

    assert obey("/as", obey("/as bob", home, home), home) == home
    assert obey("/in", obey("/in lab", home, home), home) == home


@pytest.mark.parametrize(
    "name",
    ["irc/root", "console/irc/root", "@ada", "a\tb", "a\nb", "x" * 101, "/"],
)
def test_only_the_console_s_own_can_be_meant(name: str) -> None:
    """No name reaches into another chat service, or is another address than it seems."""
    for word in ("/as", "/in"):
        with pytest.raises(UsageError, match="of the console"):
            obey(f"{word} {name}", HOME, HOME)
    with pytest.raises(UsageError):
        make_speaker("ada", name)


def test_unknown_orders_get_a_hint() -> None:
    """The nearest, if there is one, and where the others are listed."""
    with pytest.raises(UsageError, match="no /sa; did you mean /as\\? /help lists"):
        obey("/sa bob", HOME, HOME)
    with pytest.raises(UsageError, match="no /frobnicate; /help lists"):
        obey("/frobnicate", HOME, HOME)


@pytest.mark.parametrize(
    ("line", "order", "said"),
    [
        ("/as bob", True, "/as bob"),
        ("//as bob", False, "/as bob"),
        ("hachat a/b", False, "hachat a/b"),
        ("", False, ""),
    ],
)
def test_what_is_meant_for_the_console(line: str, order: bool, said: str) -> None:  # noqa: FBT001 - a parameter
    """A line with one slash; with two it is for the bot, without the first."""
    assert is_order(line) is order
    assert unescape(line) == said


def test_the_login_is_the_account_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment cannot change it, as it can what `getpass` says."""
    monkeypatch.setenv("LOGNAME", "somebody")
    monkeypatch.setenv("USER", "somebody")
    find_login.cache_clear()

    assert find_login() == pwd.getpwuid(os.getuid()).pw_name
