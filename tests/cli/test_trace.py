"""`hachat trace`: what it prints of a message's way."""

from __future__ import annotations

import json

from hachat.core.settings import QueueSettings
from hachat.store.inbound import DEATHS, Inbound
from hachat.store.keys import Keys
from hachat.store.link import Link
from tests.cli.running import Place
from tests.store.letters import bury, message, reply


async def walk(link: Link, keys: Keys) -> None:
    """Have a message go some way, and another wait."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.enqueue_all([message(2), message(1)], "chat")
    trail = keys.of("trail")
    await link.command("XADD", trail, "*", "node", "n1:b1", "taken", "m1\nm2")
    await link.command("XADD", trail, "*", "sent", "m1/ping/1\t\x1b[2J")
    await bury(link, keys, reply(1), "[red]gone\x1b")


def test_the_way_is_told(place: Place) -> None:
    """Each step has its time, what happened and who did it; then where it waits and what is dead."""
    place.do(walk)

    done = place.run("trace", "m1")

    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert [line[25:] for line in lines[:3]] == [
        "in       t/ops  by chat",
        "taken    by n1:b1",
        r"sent     /ping/1  \x1b[2J",
    ]
    assert lines[3] == "waits in the mailbox of t/ops: 2 of 2"
    assert lines[4].startswith("dead letter ")
    assert lines[4].endswith(r", reply: [red]gone\x1b")


async def linger(link: Link, keys: Keys) -> None:
    """Have a handler speak early and its message stand aside, and three nodes die with it."""
    inbound = Inbound(link, keys, "n1:b1", QueueSettings())
    await inbound.prepare()
    await inbound.enqueue(message(1), "chat")
    _, ((token, head),) = await inbound.turn("chat", [], 1)
    assert head is not None
    await inbound.progress(token, head, [reply(1)], aside="t/ops#m1")
    for death in range(DEATHS):
        await link.command("ZADD", keys.of("nodes"), 1, f"n{death + 1}:b1")
        await Inbound(link, keys, f"n{death + 2}:b1", QueueSettings()).reap(1)


def test_what_a_slow_message_did_and_its_end_are_told(place: Place) -> None:
    """What was said before its end, where it stood aside, and that it was given up, stand between the other steps."""
    place.do(linger)

    lines = place.run("trace", "m1").stdout.splitlines()

    assert [line[25:] for line in lines[:5]] == [
        "in       t/ops  by chat",
        "taken    by n1:b1",
        "reply    /ping/1  t/ops  by n1:b1",
        "aside    moved to t/ops#m1  by n1:b1",
        "dead     3 nodes died while handling it  by n4:b1",
    ]
    assert lines[5] == "waits in the outbox of t/ops: 1 of 1"
    assert lines[6].endswith(", message: 3 nodes died while handling it")


def test_the_way_as_json(place: Place) -> None:
    """The same as a value."""
    place.do(walk)

    found = json.loads(place.run("trace", "m1", "--json").stdout)

    assert [step["what"] for step in found["steps"]] == ["in", "taken", "sent"]
    assert found["waiting"] == [{"kind": "mailbox", "name": "t/ops", "position": 2, "length": 2}]
    assert found["dead"][0]["about"] == "m1/ping/1"


def test_an_unknown_message_is_exit_code_1(place: Place) -> None:
    """It is said how far back was looked; an empty id is a mistake."""
    nothing = place.run("trace", "m9")
    place.do(walk)
    unknown = place.run("trace", "m9")

    assert (nothing.exit_code, unknown.exit_code) == (1, 1)
    assert nothing.stdout == "nothing is remembered of any message yet\n"
    assert "does not tell of it; it was looked through back to" in unknown.stdout
    assert place.run("trace", "").exit_code == 2


def test_a_message_that_is_done_waits_nowhere(place: Place) -> None:
    """It is said in a sentence that nothing is left of it."""

    async def finish(link: Link, keys: Keys) -> None:
        await link.command("XADD", keys.of("trail"), "*", "finished", "m1")

    place.do(finish)

    lines = place.run("trace", "m1").stdout.splitlines()

    assert "does not tell of how it came" in lines[1]
    assert lines[2] == "nothing of it waits, and there is no dead letter of it"
