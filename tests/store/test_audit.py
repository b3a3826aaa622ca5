"""The audit trail in a real server."""

from __future__ import annotations

import pytest

from hachat.store.audit import PAGE, Audit
from hachat.store.keys import Keys
from hachat.store.link import Link


@pytest.fixture
def audit(link: Link, keys: Keys) -> Audit:
    """A trail on which nobody has done anything."""
    return Audit(link, keys)


async def test_what_was_done_is_read(audit: Audit) -> None:
    """The newest comes first; facts that are not known are left out."""
    await audit.note("ran", "irc/ada", what="deploy web", room="")
    await audit.note("denied", "irc/bob")

    deeds = await audit.read(10)
    assert [deed.facts for deed in deeds] == [
        {"did": "denied", "by": "irc/bob"},
        {"did": "ran", "by": "irc/ada", "what": "deploy web"},
    ]
    assert deeds[0].at >= deeds[1].at > 1e9
    assert await audit.read(1) == deeds[:1]


async def test_long_facts_are_cut(audit: Audit) -> None:
    """What somebody said does not fill Redis."""
    await audit.note("ran", "irc/ada", what="x" * 4_000)

    assert len((await audit.read(1))[0].facts["what"]) == 500


async def test_each_deed_is_logged_once(audit: Audit) -> None:
    """What a master has logged the next one does not log, and the trail keeps it."""
    for number in range(PAGE + 1):
        await audit.note("ran", "irc/ada", what=str(number))

    first = await audit.read_new()
    await audit.mark_logged(first[-1])
    rest = await audit.read_new()
    await audit.mark_logged(rest[-1])

    said = [deed.facts["what"] for deed in [*first, *rest]]
    assert said == [str(number) for number in range(PAGE + 1)]
    assert await audit.read_new() == []
    assert len(await audit.read(1000)) == PAGE + 1


async def test_a_note_that_is_repeated_is_one(audit: Audit, link: Link, keys: Keys) -> None:
    """After a lost answer the same script may be called again."""
    from hachat.store.audit import _NOTE

    for _ in range(2):
        await link.script(
            _NOTE, [keys.of("audit"), keys.of("did:x")], ["did", "ran", "by", "irc/ada"]
        )

    assert len(await audit.read(10)) == 1
