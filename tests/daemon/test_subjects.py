"""What admins are told, and how it reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from hachat.bot.texts import own_texts
from hachat.chat.adapter import Connection
from hachat.core.messages import Reply
from hachat.core.settings import QueueSettings
from hachat.daemon.subjects import (
    AWAY,
    ChatWatch,
    describe_dead,
    describe_failovers,
    look_for_dead,
    look_for_failovers,
    look_for_full,
)
from hachat.store.dead import DeadLetters
from hachat.store.history import Ending, Returned, Term, Unseen
from hachat.store.keys import Keys
from hachat.store.letter import Letter
from hachat.store.link import Link
from tests.store.letters import bury, message, reply


@pytest.fixture
def letters(link: Link, keys: Keys) -> DeadLetters:
    """The dead letters of the test."""
    return DeadLetters(link, keys, QueueSettings(depth=2))


async def test_only_what_is_given_up_from_now_on_is_told(
    link: Link, keys: Keys, letters: DeadLetters
) -> None:
    """What lay there before the first look is none of it, nor what was told."""
    assert await look_for_dead(letters, "") == ("0-0", "")
    old = await bury(link, keys, message(1))
    assert await look_for_dead(letters, "") == (old, "")

    new = await bury(link, keys, message(2), "ValueError: no")
    now, line = await look_for_dead(letters, old)

    assert (now, line) == (new, f"Given up in t/ops: ValueError: no. See `hachat dead show {new}`")
    assert await look_for_dead(letters, new) == (new, "")


async def test_many_are_one_line(link: Link, keys: Keys, letters: DeadLetters) -> None:
    """With their number, and the last of them."""
    (before, _), entry = await look_for_dead(letters, ""), ""
    for number in range(250):
        entry = await bury(link, keys, message(number, f"room-{number % 3}"), "no")

    now, line = await look_for_dead(letters, before)

    assert now == entry
    assert line == (
        "Given up in 3 places: 250 dead letters, the last one in t/room-0: no."
        f" See `hachat dead show {entry}` and `hachat dead list`"
    )


async def test_a_notice_that_fails_makes_no_notice(
    link: Link, keys: Keys, letters: DeadLetters
) -> None:
    """Or one failure would be told for ever; others beside it are."""
    (before, _) = await look_for_dead(letters, "")
    lost = await bury(link, keys, Reply("notice/01", "t/admins", "look"), "no such room")
    assert await look_for_dead(letters, before) == (lost, "")

    other = await bury(link, keys, reply(1))
    assert await look_for_dead(letters, before) == (
        other,
        f"Given up in t/ops: 3 nodes died while handling it. See `hachat dead show {other}`",
    )


@pytest.mark.parametrize("told", ["rubbish", "1", "-1-1", "9" * 30 + "-1"])
async def test_a_place_that_cannot_be_read_is_none(
    told: str, link: Link, keys: Keys, letters: DeadLetters
) -> None:
    """Whoever wrote it there, the master goes on."""
    entry = await bury(link, keys, message(1))

    assert await look_for_dead(letters, told) == (entry, "")


def test_what_others_wrote_stays_in_its_line() -> None:
    """No control characters, and no novel."""
    letter = Letter("1-1", 1.0, "message", "irc/#a\r\nQUIT", "x" * 5000, b"")

    line = describe_dead(1, 1, letter)

    assert line.isprintable()
    assert len(line) < 700


async def test_what_is_full_is_told_until_it_is_not(
    link: Link, keys: Keys, letters: DeadLetters
) -> None:
    """Once, and again if it was not full in between."""
    counters = keys.of("counters")
    assert await look_for_full(link, keys, letters, "") == ("", "")
    await link.command("HSET", counters, "waiting:work", 2)

    now, line = await look_for_full(link, keys, letters, "")
    assert now == "lane work"
    assert line.startswith("lane work is full: 2 messages wait, and webhooks are answered 503")
    await link.command("HSET", counters, "waiting:work", 3, "waiting:chat", 2)
    now, line = await look_for_full(link, keys, letters, now)
    assert set(now.split("\n")) == {"lane work", "lane chat"}
    assert line.startswith("lane chat is full")
    assert "lane work" not in line

    await link.command("HSET", counters, "waiting:work", 0, "waiting:chat", 0)
    assert await look_for_full(link, keys, letters, now) == ("", "")


def connect(**states: str) -> list[Any]:
    """Return connections in these states."""
    return [
        SimpleNamespace(
            adapter=SimpleNamespace(name=name),
            state=state,
            fault="refused" if state != "connected" else "",
        )
        for name, state in states.items()
    ]


async def test_a_service_that_is_away_for_long_is_told(autojump_clock: MockClock) -> None:
    """Not at once, and once; and that it is back."""
    console, irc = connect(console="connected", irc="waiting")
    watch = ChatWatch(cast("list[Connection]", [console, irc]))
    assert await watch.look("") == ("", "")
    await trio.sleep(AWAY - 1)
    irc.state = "connecting"
    assert await watch.look("") == ("", "")

    await trio.sleep(1)
    assert await watch.look("") == (
        "irc",
        f"irc has not been connected for {AWAY:.0f} s: refused. See `hachat status`",
    )
    assert await watch.look("irc") == ("irc", "")
    irc.state = "connected"
    assert await watch.look("irc") == ("", "irc is connected again.")


async def test_another_master_knows_what_was_told(autojump_clock: MockClock) -> None:
    """A new one does not tell again that a service is away, and does tell that it is back."""
    connections = connect(irc="waiting")
    watch = ChatWatch(cast("list[Connection]", connections))
    assert await watch.look("irc") == ("irc", "")
    await trio.sleep(2 * AWAY)
    assert await watch.look("irc") == ("irc", "")


async def take_lease(link: Link, keys: Keys, epoch: int, *, cause: str) -> None:
    """Write into the history that one term has ended and the next began."""
    history, token = keys.of("history"), f"n{epoch}/b/0.{epoch}"
    before = f"n{epoch - 1}/b/0.{epoch - 1}"
    if cause and cause != "silent":
        facts = ("event", "released", "token", before, "cause", cause)
        await link.command("XADD", history, "*", *facts)
    reason = "silent" if cause == "silent" else "released"
    taken = ("event", "acquired", "token", token, "previous", before, "reason", reason)
    await link.command("XADD", history, "*", *taken)


async def test_failovers_are_told_and_hand_overs_are_not(link: Link, keys: Keys) -> None:
    """What was ordered needs no line; what died, was cut off or could not reach its chat service does."""
    assert await look_for_failovers(link, keys, "") == ("", "")
    await take_lease(link, keys, 1, cause="")
    told, line = await look_for_failovers(link, keys, "")
    assert (told, line) == ("1", "")
    for epoch, cause in enumerate(("step-down", "shutdown"), 2):
        await take_lease(link, keys, epoch, cause=cause)
        told, line = await look_for_failovers(link, keys, told)
        assert (told, line) == (str(epoch), "")

    for epoch, cause in enumerate(("silent", "crash", "isolated", "unreachable"), 4):
        await take_lease(link, keys, epoch, cause=cause)
        told, line = await look_for_failovers(link, keys, told)
        assert told == str(epoch)
        assert line.startswith(f"The master failed over to n{epoch}, ")
        assert line.endswith(f" without a master ({cause}). See `hachat history`")
        assert await look_for_failovers(link, keys, told) == (told, "")

    _, line = await look_for_failovers(link, keys, "2")
    assert line.startswith("The master failed over 4 times, the last time to n7, ")


@pytest.mark.parametrize(
    ("end", "gap", "words"),
    [
        (Unseen(None, 0.0, "forgotten"), None, "to n1, 1970-01-01 00:00:00 UTC (forgotten)."),
        (Returned(0.0, "crash", "x"), 0.02, "UTC, after at most 0.0 s without a master (crash)."),
    ],
)
def test_a_failover_in_words(end: Ending, gap: float | None, words: str) -> None:
    """What is not known is left out."""
    term = Term(1, "n1", "t", 0.0, None, end, gap, gap)

    assert words in describe_failovers(1, term)


GERMAN = own_texts("de")


def test_admins_are_told_in_the_bot_s_language() -> None:
    """With what others wrote as it stands."""
    letter = Letter("1-1", 1.0, "message", "irc/#a", "timed out", b"")
    assert describe_dead(1, 1, letter, GERMAN) == (
        "Aufgegeben in irc/#a: timed out. Siehe `hachat dead show 1-1`"
    )
    line = describe_dead(3, 2, letter, GERMAN)
    assert line.startswith("Aufgegeben an 2 Stellen: 3 Nachrichten, die letzte in irc/#a: ")
    term = Term(1, "n1", "t", 0.0, None, Unseen(None, 0.0, ""), 0.5, 0.5)
    assert describe_failovers(1, term, GERMAN) == (
        "Ein anderer Knoten musste Master werden: n1, 1970-01-01 00:00:00 UTC,"
        " nach höchstens 0.5 s ohne Master (unbekannt). Siehe `hachat history`"
    )


async def test_a_service_that_is_away_is_told_in_the_bot_s_language(
    autojump_clock: MockClock,
) -> None:
    """By its name, and with its fault."""
    watch = ChatWatch(cast("list[Connection]", connect(irc="waiting")), GERMAN)
    await watch.look("")
    await trio.sleep(AWAY)
    _, line = await watch.look("")
    assert line == "irc ist seit 60 s nicht verbunden: refused. Siehe `hachat status`"


async def test_what_is_full_is_told_in_the_bot_s_language(
    link: Link, keys: Keys, letters: DeadLetters
) -> None:
    """What Redis remembers as told is the same in each, so the nodes may differ."""
    await link.command("HSET", keys.of("counters"), "waiting:work", 2)
    now, line = await look_for_full(link, keys, letters, "", GERMAN)
    assert now == "lane work"
    assert line.startswith("Spur work ist voll: 2 Nachrichten warten, und Webhooks werden")
