"""The timers of handlers, told apart from what else is due later."""

from __future__ import annotations

import pytest

from hachat.core.errors import QueueFull, WireError
from hachat.core.messages import Event, Inbound, Job, Message, Room, User
from hachat.core.wire import MAX_ENVELOPE
from hachat.store import timers as module
from hachat.store.commits import Later
from hachat.store.dialogs import EXPIRY
from hachat.store.jobs import Jobs
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.timers import Timer, Timers
from tests.store.backups import SOON

TEA = Timer(SOON, Job("J1", "reminders.ring", SOON, '"tea"'))


@pytest.fixture
def timers(link: Link, keys: Keys) -> Timers:
    """The timers of a cluster that has none."""
    return Timers(link, keys)


async def test_a_timer_that_was_put_waits_as_any_other(
    timers: Timers, link: Link, keys: Keys
) -> None:
    """To the moment, and whoever looks at jobs or takes them back finds it."""
    assert await timers.put("tea", TEA, None)
    assert await timers.find(["tea", "coffee"]) == [TEA, None]
    (waiting,) = await Jobs(link, keys).waiting()
    assert (waiting.id, waiting.due, waiting.what) == ("tea", SOON, "reminders.ring")
    assert await Jobs(link, keys).cancel("tea")
    assert await timers.find(["tea"]) == [None]


async def test_what_else_is_due_later_is_no_timer(timers: Timers, link: Link, keys: Keys) -> None:
    """Tries of what failed, ends of questions, events; they are listed in the order in which they are due."""
    others: list[Inbound] = [
        Message("M", Room("irc", "#ops"), User("ada"), "hi", 1.0),
        Job("J", "a.b", 1.0, attempt=1),
        Job("Q", EXPIRY, 1.0),
        Event("E", "joined", 1.0),
    ]
    for turn, value in enumerate(others):
        await Jobs(link, keys).schedule(Later(value.id, 1000.0 - turn, "work", value))
    ids = await timers.list_ids()
    assert ids == ["E", "Q", "J", "M"]
    assert await timers.find(ids) == [None] * 4


async def test_no_more_wait_than_may(timers: Timers, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits already can be replaced all the same; one that is too large never waits."""
    monkeypatch.setattr(module, "MOST_JOBS", 1)
    assert await timers.put("tea", TEA, None)
    with pytest.raises(QueueFull, match="1 jobs are waiting"):
        await timers.put("coffee", TEA, None)
    assert await timers.put("tea", Timer(SOON + 1, TEA.job), TEA)
    with pytest.raises(WireError):
        await timers.put("cake", Timer(SOON, Job("J", "a.b", SOON, "x" * MAX_ENVELOPE)), None)
