"""`hachat pause`, `resume`, `drain` and `undrain`, as operators run them."""

from __future__ import annotations

import json

import pytest

from hachat.core.timing import Timing
from hachat.store.control import Control, hold, read_control
from hachat.store.keys import Keys
from hachat.store.lease import open_lease
from hachat.store.link import Link
from hachat.store.members import Member, Members
from tests.cli.running import Place
from tests.store.test_lease import take


async def populate(link: Link, keys: Keys) -> None:
    """Have a be master, and n2 be there but never master."""
    for node, priority in (("a", 100), ("n2", 0)):
        said = Member(
            node, f"{node}1", 1, "http://127.0.0.1:1", "", 0.0, 3.0, 9.0, priority=priority
        )
        await Members(link, keys, said).join()
    async with open_lease(link, keys, Timing()) as store:
        await take(store, "a")


def test_a_pause_is_ordered_shown_and_ended(place: Place) -> None:
    """The sentence says what it means; status is degraded with 4 and tells it; resume says whether there was one."""
    place.do(populate)

    paused = place.run("pause", "--for", "30m", "--reason", "kernel\x1b", "--by", "ada")
    shown, told = place.run("status"), place.run("status", "--json")
    ended = [place.run("resume") for _ in range(2)]

    assert paused.exit_code == 0, paused.output
    assert "by ada until" in paused.stdout
    assert r"kernel\x1b; if the master dies now, nobody takes over" in paused.stdout
    assert (shown.exit_code, told.exit_code) == (4, 4)
    assert "! elections are PAUSED since" in shown.stdout
    assert json.loads(told.stdout)["control"]["pause"]["by"] == "ada"
    assert [end.stdout for end in ended] == ["elections go on\n", "elections were not paused\n"]


def test_a_node_is_drained_shown_and_undrained(place: Place) -> None:
    """It is shown, and is no fault of the cluster."""
    place.do(populate)

    drained = place.run("drain", "n2", "--reason", "disk", "--by", "ada", "--json")
    shown = place.run("status")
    ended = [place.run("undrain", "n2") for _ in range(2)]

    assert json.loads(drained.stdout) == {"node": "n2", "was_master": False, "master": ""}
    assert shown.exit_code == 0
    assert "standby, drained, never master" in shown.stdout
    assert ": disk" in shown.stdout
    assert [end.stdout for end in ended] == ["n2 takes work again\n", "n2 was not drained\n"]


async def hold_back(link: Link, keys: Keys) -> None:
    """Let n2 be held back, and a by something that nobody can read and that would never end."""
    await populate(link, keys)
    await hold(link, keys, "n2", seconds=3600, by="ada")
    await link.command("HSET", keys.of("control"), "hold:a", "not json")


@pytest.mark.parametrize("node", ["a", "n2"])
def test_a_hold_is_taken_back_too(place: Place, node: str) -> None:
    """Whoever held a node back for two hours and has mended it after one need not wait; rubbish need not stand for ever."""
    place.do(hold_back)
    shown = place.run("status")
    ended = [place.run("undrain", node) for _ in range(2)]

    assert "a may not become master, (what was ordered cannot be read)" in shown.stdout
    assert [end.stdout for end in ended] == [
        f"{node} takes work again\n",
        f"{node} was not drained\n",
    ]
    assert node not in place.do(read_control).holds


@pytest.mark.parametrize("command", ["drain", "undrain"])
def test_an_unknown_node_is_refused(command: str, place: Place) -> None:
    """With 2, and the names that are known."""
    place.do(populate)
    refused = place.run(command, "n3")
    assert refused.exit_code == 2
    assert "'n3'; known are a, n2" in refused.stderr


def test_a_master_that_nobody_could_follow_is_not_drained(place: Place) -> None:
    """With 2 and why; nothing is ordered then."""
    place.do(populate)
    refused = place.run("drain", "a")
    assert refused.exit_code == 2
    assert "a is master and nobody could take over: n2 has lease.priority 0" in refused.stderr
    assert place.do(read_control) == Control()


@pytest.mark.parametrize("span", ["0", "soon"])
def test_a_pause_of_no_time_is_refused(span: str, place: Place) -> None:
    """Nothing is ordered."""
    assert place.run("pause", "--for", span).exit_code == 2
    assert place.do(read_control) == Control()
