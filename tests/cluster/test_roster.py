"""What a node knows of the others: who could follow, who should go first, and how it learns of orders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from hachat.cluster.roster import Roster, find_faults, find_heirs
from hachat.core.errors import StoreUnavailable
from hachat.store.control import Control, Directive
from hachat.store.members import Member
from hachat.store.peers import Peers

ORDER = Directive("ada")


def member(name: str, priority: int = 100, *, leaving: bool = False) -> Member:
    """Return a living node."""
    return Member(name, "1", 1, "", "", 0.0, 3.0, 9.0, priority=priority, leaving=leaving)


def see(*living: Member, control: Control | None = None) -> Peers:
    """Return what there is to see."""
    return Peers(1.0, living, control or Control())


async def roster(peers: Peers, node: str = "a", priority: int = 100) -> Roster:
    """Return the roster of a node that has looked."""

    async def read() -> Peers:
        return peers

    made = Roster(node, priority, read)
    await made.look()
    return made


def test_the_best_follow_first() -> None:
    """By priority, those of the same in the order they are listed; nobody follows itself."""
    peers = see(member("a", 300), member("b", 50), member("c", 200), member("d", 200))
    assert find_heirs(peers, "a") == ["c", "d", "b"]


@pytest.mark.parametrize(
    ("other", "control", "fault"),
    [
        (member("b"), Control(drains={"b": ORDER}), "b is drained by ada"),
        (member("b"), Control(holds={"b": ORDER}), "b is held back by ada"),
        (member("b", 0), Control(), "b has lease.priority 0"),
        (member("b", leaving=True), Control(), "b is leaving"),
    ],
)
async def test_who_cannot_follow_is_told_why(other: Member, control: Control, fault: str) -> None:
    """Neither named nor as one of any; and nobody waits for it."""
    peers = see(member("a"), replace(other, priority=2 * other.priority), control=control)
    assert find_faults(peers, "a") == fault
    assert find_heirs(peers, "a") == []
    assert (await roster(peers)).find_delay("x") == 0.0


@pytest.mark.parametrize(
    ("better", "leaver", "delay"),
    [((), "x", 0.0), (("b",), "x", 0.01), (("b",), "b", 0.0), (tuple("bcdef"), "x", 0.03)],
)
async def test_better_nodes_go_first(better: Sequence[str], leaver: str, delay: float) -> None:
    """10 ms for each, 30 at most; who gave the lease away is not waited for, nor is an equal."""
    others = [member(name, 200) for name in better]
    seen = await roster(see(member("a"), member("z"), *others))
    assert seen.find_delay(leaver) == pytest.approx(delay)


async def test_it_looks_when_it_is_wanted(nursery: trio.Nursery) -> None:
    """Whoever waits for a drain, or its end, learns of it; without Redis it goes on with what it knew."""
    now: list[Peers | StoreUnavailable] = [StoreUnavailable("away")]

    async def read() -> Peers:
        if isinstance(now[0], StoreUnavailable):
            raise now[0]
        return now[0]

    seen = Roster("a", 100, read)
    await nursery.start(seen.run)
    drains = Control(drains={"a": ORDER})
    for answer, drained in ((see(control=drains), True), (see(), False)):
        with trio.fail_after(5):
            async with trio.open_nursery() as waiting:
                waiting.start_soon(partial(seen.wait_drained, drained=drained))
                seen.want()
                await trio.testing.wait_all_tasks_blocked()
                assert (seen.drained is not None) is not drained
                now[0] = answer
                seen.want()
        assert (seen.drained is not None) is drained
        now[0] = StoreUnavailable("away")
