"""Who may succeed a master."""

from __future__ import annotations

import pytest

from hachat.cluster.candidates import choose
from hachat.core.errors import StepDownRefused
from hachat.store.control import Control, Directive
from hachat.store.members import Member
from hachat.store.peers import Peers


def member(name: str, priority: int = 100, *, leaving: bool = False) -> Member:
    """Return a living node."""
    return Member(name, "1", 1, "", "", 0.0, 3.0, 9.0, priority=priority, leaving=leaving)


def see(*living: Member, control: Control | None = None) -> Peers:
    """Return what there is to see."""
    return Peers(1.0, living, control or Control())


ALL = (member("a"), member("b"), member("c", 200))
HELD = Control(holds={"b": Directive("ada", "kernel")}, drains={"c": Directive("bob")})


def refused(peers: Peers, to: str = "") -> tuple[str, str]:
    """Return why nobody may, for people and for programs."""
    with pytest.raises(StepDownRefused) as caught:
        choose(peers, "a", to)
    return str(caught.value), caught.value.code


def test_every_other_living_node_may() -> None:
    """The best first; who is named is asked alone."""
    assert choose(see(*ALL), "a") == ["c", "b"]
    assert choose(see(*ALL), "a", "b") == ["b"]


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("a", "a is the master already"),
        ("z", "z is not alive, so it cannot take over; alive are b, c"),
        ("b", "b is held back by ada: kernel, so it cannot take over"),
        ("c", "c is drained by bob, so it cannot take over"),
    ],
)
def test_who_is_named_and_may_not_is_told_why(to: str, why: str) -> None:
    """The leaver itself, the unknown or dead, and who is ordered not to."""
    assert refused(see(*ALL, control=HELD), to) == (why, "ineligible")


def test_where_nobody_may_each_reason_is_told() -> None:
    """Those that are ordered not to, leave themselves or never lead, and no others at all."""
    faults = "b is held back by ada: kernel; c is drained by bob"
    assert refused(see(*ALL, control=HELD)) == (f"nobody could take over: {faults}", "no successor")
    some = see(member("a"), member("b", leaving=True), member("c", 0))
    assert refused(some)[0] == "nobody could take over: b is leaving; c has lease.priority 0"
    alone = refused(see(member("a")))
    assert alone == ("nobody could take over: no other node is alive", "no successor")


def test_in_a_pause_the_successor_must_be_named() -> None:
    """Nobody takes over by itself then, so nobody is chosen; an operator may name one."""
    paused = see(*ALL, control=Control(pause=Directive("ada")))
    why, code = refused(paused)
    assert code == "paused"
    assert "paused by ada" in why
    assert choose(paused, "a", "b") == ["b"]
