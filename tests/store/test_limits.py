"""Sentences about what is full: when they come, and what they say."""

from __future__ import annotations

import pytest

from hachat.core.settings import QueueSettings
from hachat.store.keys import Lane
from hachat.store.letter import Letter
from hachat.store.limits import (
    LATELY,
    OUTBOX_FULL,
    find_full_lanes,
    find_full_outbox,
    find_refusals,
    name_full,
    tell_full_mailbox,
    tell_full_outbox,
    warn_of_dead,
    warn_of_lanes,
)


@pytest.mark.parametrize(
    ("count", "full", "nearly"),
    [
        (79, False, False),
        (80, False, True),
        (99, False, True),
        (100, True, False),
        (101, True, False),
    ],
)
@pytest.mark.parametrize(
    ("lane", "words"), [("chat", "nothing more is heard"), ("work", "webhooks are answered 503")]
)
def test_a_lane_is_full_or_nearly_so(
    lane: Lane, words: str, count: int, *, full: bool, nearly: bool
) -> None:
    """From 80 % of its limit on there is one sentence: how many wait, whom that concerns, and what to do."""
    limits = QueueSettings(depth=100)

    refused = list(find_full_lanes({lane: count}, limits))
    warned = list(warn_of_lanes({lane: count}, limits))

    assert (len(refused), len(warned)) == (full, nearly)
    for sentence in refused + warned:
        assert sentence.startswith(f"lane {lane} is ")
        assert f"{count} messages wait, and " in sentence
        assert words in sentence
        assert sentence.endswith("start more nodes, or raise queue.depth")


@pytest.mark.parametrize(
    ("reason", "age", "told"),
    [
        (OUTBOX_FULL, 1.0, True),
        (OUTBOX_FULL, LATELY + 1.0, False),
        (OUTBOX_FULL, -1.0, True),
        ("no adapter 'irc' is set up", 1.0, False),
    ],
)
def test_an_outbox_that_was_full_lately_is_told_of(reason: str, age: float, *, told: bool) -> None:
    """For a minute; afterwards, and of other reasons, the list of dead letters tells."""
    letter = Letter("1-0", 100.0, "reply", "irc/#ops", reason, b"")

    sentences = list(find_full_outbox([letter], 100.0 + age))

    assert [sentence.partition(":")[0] for sentence in sentences] == [
        f"irc/#ops had no room for more replies {max(age, 0):.0f} s ago"
    ] * told


@pytest.mark.parametrize(
    ("field", "name", "age", "waiting", "words"),
    [
        (
            "mailbox:chat",
            "irc/#ops",
            3.0,
            0,
            "irc/#ops was full 3 s ago, messages of it were refused",
        ),
        ("mailbox:chat", "irc/#ops", LATELY, 0, ""),
        ("lane:work", "work", 3.0, 5, "lane work was full 3 s ago: webhooks are answered 503"),
        ("lane:work", "work", 3.0, 100, ""),
    ],
    ids=["mailbox", "long ago", "lane", "lane that is full now"],
)
def test_what_has_refused_lately_is_told_of(
    field: str, name: str, age: float, waiting: int, words: str
) -> None:
    """For a minute, unless its lane is told of as full anyway."""
    refused = {field: f"100000|{name}".encode()}

    sentences = list(
        find_refusals(refused, 100.0 + age, {"work": waiting}, QueueSettings(depth=100))
    )

    assert len(sentences) == bool(words)
    assert "".join(sentences).startswith(words)


@pytest.mark.parametrize(("count", "told"), [(79, 0), (80, 1), (100, 1), (101, 1)])
def test_many_dead_letters_are_told_of(count: int, told: int) -> None:
    """From 80 % of their limit on there is a sentence, and at the limit it says that they are cut."""
    sentences = list(warn_of_dead(count, 100))

    assert len(sentences) == told
    for sentence in sentences:
        assert sentence.startswith(f"{count} dead letters, ")
        assert ("100 are kept: the oldest are cut" in sentence) == (count >= 100)


def test_what_is_full_can_be_told_from_every_sentence() -> None:
    """Its name is the same while the numbers beside it change, whatever is in the name."""
    limits, room = QueueSettings(depth=2), "irc/#is full of 3 s"
    letter = Letter("1-1", 99.0, "reply", room, OUTBOX_FULL, b"")
    refused = {"mailbox:chat": f"90000|{room}".encode(), "lane:work": b"90000|work"}
    sentences = [
        *find_full_lanes({"chat": 2}, limits),
        *find_refusals(refused, 100.0, {}, limits),
        tell_full_mailbox(room, 7),
        tell_full_outbox(room, 7),
        *find_full_outbox([letter], 100.0),
    ]

    named = [name_full(sentence) for sentence in sentences]

    assert named == ["lane chat", "lane work", room, room, room, room]
