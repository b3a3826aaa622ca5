"""Who may succeed a master."""

from __future__ import annotations

import pytest

from hachat.cluster.candidates import choose
from hachat.core.errors import StepDownRefused
from hachat.store.control import Control, Directive
from hachat.store.status import NodeStatus, Role

HELD = Control(holds={"b": Directive("ada", "kernel")}, drains={"c": Directive()})


def cluster(**roles: Role) -> list[NodeStatus]:
    """Return nodes with these roles."""
    return [NodeStatus(name, role, 1, "", "", 0.0) for name, role in roles.items()]


ALL = cluster(a="master", b="standby", c="standby", d="dead")


def refused(control: Control, to: str, nodes: list[NodeStatus] = ALL) -> tuple[str, str]:
    """Return why nobody may, for people and for programs."""
    with pytest.raises(StepDownRefused) as caught:
        choose(nodes, control, "a", to)
    return str(caught.value), caught.value.code


def test_every_other_living_node_may() -> None:
    """The leaver and the dead may not; who is named is asked alone."""
    assert choose(ALL, Control(), "a") == ["b", "c"]
    assert choose(ALL, Control(), "a", "c") == ["c"]


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("a", "a is the master already"),
        ("d", "d is not alive, so it cannot take over; alive are b, c"),
        ("z", "z is not alive, so it cannot take over; alive are b, c"),
        ("b", "b is held by ada: kernel, so it cannot take over"),
        ("c", "c is drained, so it cannot take over"),
    ],
)
def test_who_is_named_and_may_not_is_told_why(to: str, why: str) -> None:
    """The leaver itself, the dead, the unknown, and who is ordered not to."""
    assert refused(HELD, to) == (why, "ineligible")


def test_where_nobody_may_each_reason_is_told() -> None:
    """Two that are ordered not to, and no others at all."""
    assert refused(HELD, "") == (
        "nobody can take over: b is held by ada: kernel; c is drained",
        "no successor",
    )
    alone = refused(Control(), "", cluster(a="master"))
    assert alone == ("nobody can take over: a is the only node alive", "no successor")


def test_in_a_pause_the_successor_must_be_named() -> None:
    """Nobody takes over by itself then, so nobody is chosen; an operator may name one."""
    paused = Control(pause=Directive())
    assert refused(paused, "")[1] == "paused"
    assert choose(ALL, paused, "a", "b") == ["b"]
