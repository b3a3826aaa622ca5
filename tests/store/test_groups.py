"""Groups in a real server."""

from __future__ import annotations

import pytest

from hachat.core.errors import GroupsFull
from hachat.store import groups as module
from hachat.store.audit import Audit
from hachat.store.groups import Groups
from hachat.store.keys import Keys
from hachat.store.link import Link


@pytest.fixture
def groups(link: Link, keys: Keys) -> Groups:
    """Groups without members."""
    return Groups(link, keys)


async def test_members_come_and_go(groups: Groups) -> None:
    """Whoever was added is a member, with who did it and when, until removed."""
    assert await groups.change("add", "ops", "irc/bob!b@x|y", "irc/ada")
    assert not await groups.change("add", "ops", "irc/bob!b@x|y", "irc/eve")

    ((key, member),) = (await groups.read()).items()
    assert key == ("ops", "irc/bob!b@x|y")
    assert member.by == "irc/ada"
    assert member.at > 1e9

    assert await groups.change("remove", "ops", "irc/bob!b@x|y", "irc/ada")
    assert not await groups.change("remove", "ops", "irc/bob!b@x|y", "irc/ada")
    assert await groups.read() == {}


async def test_changes_are_in_the_audit_trail(groups: Groups, link: Link, keys: Keys) -> None:
    """With the change itself, and once; what changes nothing is not in it."""
    for what in ("add", "add", "remove"):
        await groups.change(what, "ops", "irc/bob", "irc/ada")

    assert [deed.facts for deed in await Audit(link, keys).read(10)] == [
        {"did": f"auth {what}", "by": "irc/ada", "user": "irc/bob", "group": "ops"}
        for what in ("remove", "add")
    ]


async def test_members_are_limited(groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is refused in words, and nothing is noted."""
    monkeypatch.setattr(module, "MOST", 1)
    await groups.change("add", "ops", "irc/ada", "irc/ada")

    with pytest.raises(GroupsFull, match=r"1 members, which is the most; .*\[access\.groups\]"):
        await groups.change("add", "dev", "irc/bob", "irc/ada")
    assert list(await groups.read()) == [("ops", "irc/ada")]
