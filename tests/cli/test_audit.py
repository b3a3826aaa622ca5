"""`hachat audit`: who did what, as it is shown."""

from __future__ import annotations

import json

from hachat.cluster.orders import Orders
from hachat.store.audit import Audit
from hachat.store.keys import Keys
from hachat.store.link import Link
from tests.cli.running import Place


async def act(link: Link, keys: Keys) -> None:
    """Run a command, and freeze elections twice."""
    await Audit(link, keys).note("ran", "irc/ada", what="deploy web\x1b[2J", room="irc/#ops")
    orders = Orders(link, keys)
    for _ in range(2):
        await orders.resume(by="nobody")
    await orders.pause(by="bob", reason="new switch")
    await orders.resume(by="cy")


def test_deeds_are_told(place: Place) -> None:
    """The newest first, with the facts; what somebody said moves no cursor, and what changed nothing is not told."""
    place.do(act)

    shown = place.run("audit", env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    heading, *lines = shown.stdout.splitlines()
    assert heading.split() == ["WHEN", "(UTC)", "WHO", "DID", "FACTS"]
    assert [line.split(maxsplit=2)[2].split() for line in lines] == [
        ["cy", "resume"],
        ["bob", "pause", "reason=new", "switch"],
        ["irc/ada", "ran", "what=deploy", r"web\x1b[2J", "room=irc/#ops"],
    ]

    (newest,) = json.loads(place.run("audit", "--json", "-n", "1").stdout)
    assert newest["facts"] == {"did": "resume", "by": "cy"}
    assert newest["at"] > 1e9


def test_nothing_was_done(place: Place) -> None:
    """That is told in words, and as JSON all the same."""
    assert place.run("audit").stdout.startswith("nobody has done anything yet")
    assert json.loads(place.run("audit", "--json").stdout) == []


def test_drains_and_command_line_are_in_it(place: Place) -> None:
    """What is ordered on the command line is noted with who ordered it."""
    place.run("pause", "--by", "ada", "--reason", "x")
    place.run("resume", "--by", "bob")

    deeds = json.loads(place.run("audit", "--json").stdout)
    assert [deed["facts"]["by"] for deed in deeds] == ["bob", "ada"]
