"""`hachat queue`: what it prints of what waits."""

from __future__ import annotations

import json

from hachat.core.settings import QueueSettings
from hachat.store.inbound import Inbound
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.outbound import Outbound, Report
from tests.cli.running import Place
from tests.store.letters import bury, message, reply, webhook
from tests.store.test_queue import put


async def fill(link: Link, keys: Keys) -> None:
    """Have something wait everywhere."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.prepare()
    await inbound.enqueue_all([message(1), message(2), message(3, "\x1b[2J")], "chat")
    await inbound.enqueue(webhook(1), "work")
    await inbound.turn("chat", [], 1)
    await link.command("SET", keys.of("lease"), "n1/b1/0.1")
    outbound = Outbound(link, keys, "n1/b1/0.1")
    await put(link, keys, "t/slow", 2)
    (due,), _ = await outbound.turn([], 1)
    await outbound.turn([Report(due, "defer", 300.0, "429 [red]\x1b")], 0)
    await bury(link, keys, reply(1))


def test_it_shows_what_waits_beside_its_limits(place: Place) -> None:
    """Lanes with who holds them, rooms that wait with the reason, the longest boxes, dead letters."""
    place.do(fill)

    done = place.run("queue")

    assert done.exit_code == 0
    for words in (
        "3 of 100000",
        "n1 1",
        "outbound: 2 replies in 1 rooms",
        "deferred 1",
        "t/slow",
        "429 [red] ",
        "dead letters: 1 of 10000",
        "limits: 1000 messages in a mailbox, 1000 replies in a room",
        r"t/\x1b[2J",
    ):
        assert words in done.stdout, words
    assert "\x1b" not in done.stdout
    assert "!" not in done.stdout


def test_it_says_loudly_what_is_full(place: Place) -> None:
    """What refuses more is told before all else."""
    place.do(fill)
    place.configure("[queue]\nmailbox = 2\ndead = 1\n")

    lines = place.run("queue").stdout.splitlines()

    assert lines[0].startswith("! t/ops is full: 2 messages wait, more are refused; see")
    assert lines[1].startswith("! 1 dead letters, 1 are kept")


def test_it_prints_json(place: Place) -> None:
    """The same as a value, with what is full and the limits."""
    place.do(fill)

    found = json.loads(place.run("queue", "--json").stdout)

    assert found["full"] == []
    assert found["limits"] == {"depth": 100_000, "mailbox": 1_000, "outbox": 1_000, "dead": 10_000}
    assert found["lanes"]["chat"]["in_hand"] == {"n1": 1}
    assert found["outbound"]["deferred"][0]["room"] == "t/slow"
    assert found["dead_letters"] == 1


def test_an_empty_cluster_has_nothing_to_show(place: Place) -> None:
    """Zeros and dashes; a table that is watched is no JSON."""
    done = place.run("queue")

    assert done.exit_code == 0
    assert "0 of 100000" in done.stdout
    assert "LONGEST" not in done.stdout
    assert place.run("queue", "--json", "--watch").exit_code == 2
