"""The values that travel: how they are addressed, ordered and recognised."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from hachat.core.messages import LINES, Event, Inbound, Job, Message, Reply, Room, User, Webhook

ROOM = Room("irc", "#ops/night", "Ops at night")


def message(event: str = "") -> Message:
    """Return a message in a room whose id contains a slash."""
    return Message("m1", ROOM, User("u1"), "ping", 1.0, event=event)


def webhook(event: str = "") -> Webhook:
    """Return a webhook."""
    return Webhook("w1", "deploy.deployed", "POST", "/deployed", 1.0, event=event)


def test_a_room_is_addressed_by_its_identity() -> None:
    """The name people see is no part of the address, because it changes."""
    assert ROOM.address == Room("irc", "#ops/night", "renamed").address == "irc/#ops/night"


def test_a_reply_finds_its_adapter_and_channel() -> None:
    """An address falls apart into what it was made of, slashes in the room's id included."""
    reply = Reply("m1/ping/1", ROOM.address)

    assert (reply.adapter, reply.channel) == ("irc", "#ops/night")


def test_a_room_is_a_conversation_unless_a_key_names_another() -> None:
    """Messages of a room wait for each other; by its key one waits for others instead."""
    assert message().conversation == "irc/#ops/night"
    assert msgspec.structs.replace(message(), key="irc/#ops/night@u1").conversation == (
        "irc/#ops/night@u1"
    )


def test_webhooks_of_a_route_spread_over_a_few_conversations() -> None:
    """So that neither does one wait for all others, nor do a thousand of one route stand before another's."""
    webhooks = [msgspec.structs.replace(webhook(), id=f"w{number}") for number in range(1000)]
    spread = Counter(one.conversation for one in webhooks)

    assert len(spread) == LINES
    assert max(spread.values()) < 3 * 1000 / LINES
    assert all(name.startswith("hook/deploy.deployed/") for name in spread)


def test_jobs_of_a_route_are_one_conversation() -> None:
    """A schedule that has fallen behind does not run beside itself, and each job is known by its id."""
    job = Job("backup@1700000000000", "ops.backup", 1_700_000_000.0)

    assert (job.conversation, job.source) == ("job/ops.backup", "job:backup@1700000000000")


def test_events_wait_for_those_of_their_room_and_for_no_message() -> None:
    """They are work, so they may not be in a conversation of people; each is known by what the service calls it."""
    room = Room("irc", "#ops")
    joined = Event("e1", "joined", 1.0, "irc", room)

    assert (joined.conversation, joined.source) == ("event/irc/#ops", "event:irc:e1")
    assert Event("e2", "quit", 1.0, "irc").conversation == "event/irc"
    assert Event("e3", "deployed", 1.0, event="d7").conversation == "event/deployed"
    assert Event("e3", "deployed", 1.0, event="d7").source == "event::d7"


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (message("e1"), "irc:e1"),
        (message(), "irc:m1"),
        (webhook("e1"), "hook:deploy.deployed:e1"),
        (webhook(), "hook:deploy.deployed:w1"),
    ],
)
def test_a_second_delivery_has_the_same_source(value: Inbound, source: str) -> None:
    """The sender's own id decides, and where it gives none, no two deliveries are alike."""
    assert value.source == source


def test_values_cannot_be_changed() -> None:
    """What has been queued is never altered behind the queue's back."""
    with pytest.raises(AttributeError):
        message().text = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_what_is_left_at_its_default_is_not_written() -> None:
    """A stored reply carries only what it says."""
    assert msgspec.to_builtins(Reply("1", "irc/x", "hi")) == {
        "id": "1",
        "room": "irc/x",
        "text": "hi",
    }
