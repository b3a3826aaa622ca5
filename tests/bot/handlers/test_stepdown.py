"""Who is to be master, as admins say; the questions are asked on real queues, the cluster is the test's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import get_args

import pytest

from hachat.bot.handlers.stepdown import _WHY, PATIENCE, StepDown
from hachat.core.errors import StepDownCode, StepDownRefused, StoreUnavailable
from hachat.core.stepdown import Order
from hachat.daemon.stepdown import Moved
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.status import NodeStatus, QueueStatus, Status
from hachat.testing import Driver
from hachat.testing.driver import drive
from hachat.testing.speaker import Speaker

QUESTION = "Do you want node-2 to be master in place of node-1? (yes or no)"
ANYBODY = "Do you want another node to be master in place of node-1? (yes or no)"


@dataclass
class Lease:
    """A cluster of two nodes; `orders` are those it was given, `error` is what becomes of them."""

    master: str | None = "node-1"
    gap: float | None = 0.012
    error: Exception | None = None
    orders: list[tuple[Order, str, float]] = field(default_factory=list)

    async def read(self) -> Status:
        """Return who is master."""
        if self.master == "away":
            raise StoreUnavailable("no answer")
        idle = QueueStatus(0, None)
        return Status(
            *("test", 0.0, self.master, 1, None, 0.0),
            nodes=[NodeStatus(name, "standby", 1, "", "1", 0.0) for name in ("node-2", "node-3")],
            inbound={"chat": idle, "work": idle},
            outbound=idle,
            dead_letters=0,
        )

    async def move(self, order: Order, leaver: str, patience: float) -> Moved:
        """Take note of an order."""
        self.orders.append((order, leaver, patience))
        if self.error is not None:
            raise self.error
        return Moved(leaver, order.to or "node-2", 1, 2, self.gap)


@pytest.fixture
def lease() -> Lease:
    """The cluster."""
    return Lease()


@pytest.fixture
async def driver(link: Link, keys: Keys, lease: Lease) -> AsyncIterator[Driver]:
    """A bot on it, with one admin."""
    handler = StepDown(lease.read, lease.move)
    async with drive(link, keys, [handler], groups={"admins": ["root"]}) as driver:
        yield driver


@pytest.fixture
def root(driver: Driver) -> Speaker:
    """The admin."""
    return driver.as_user("root")


async def test_a_yes_moves_the_lease(root: Speaker, lease: Lease) -> None:
    """To the node that was named, from the master that the question told of, in the name of whoever asked."""
    assert await root.say("hachat step-down to node-2") == [QUESTION]
    assert lease.orders == []
    assert await root.say("yes") == ["node-2 is master in place of node-1; nobody was for 12 ms."]
    assert lease.orders == [(Order(to="node-2", by="test/root"), "node-1", PATIENCE)]


async def test_a_gap_that_nobody_saw_is_not_told(root: Speaker, lease: Lease) -> None:
    """Without a name it is any other node."""
    lease.gap = None

    assert await root.say("hachat step-down") == [ANYBODY]
    assert await root.say("yes") == ["node-2 is master in place of node-1."]


async def test_a_no_leaves_it(root: Speaker, lease: Lease) -> None:
    """Nothing is ordered."""
    await root.say("hachat step-down")

    assert await root.say("no") == ["Then node-1 stays master."]
    assert lease.orders == []


async def test_the_master_that_was_meant_is_the_one_that_leaves(
    root: Speaker, lease: Lease
) -> None:
    """Another that came while the question was open is not deposed by the answer."""
    await root.say("hachat step-down")
    lease.master = "node-3"
    await root.say("yes")

    assert [leaver for _, leaver, _ in lease.orders] == ["node-1"]


async def test_a_refusal_is_told_in_its_own_words(root: Speaker, lease: Lease) -> None:
    """Those of another node stand behind what the bot can say of it in any language."""
    lease.error = StepDownRefused("node-3 is master, not node-1", "changed")
    await root.say("hachat step-down")

    assert await root.say("yes") == [
        "That could not be done: another node is master than was meant (node-3 is master, not node-1)."
    ]


def test_every_refusal_can_be_told() -> None:
    """Whatever the code, there is a sentence."""
    assert set(_WHY) == set(get_args(StepDownCode))


@pytest.mark.parametrize(
    ("master", "said"),
    [("node-2", "node-2 is master already."), (None, "Nobody is master.")],
)
async def test_nothing_to_ask(root: Speaker, lease: Lease, master: str | None, said: str) -> None:
    """Where there is nothing to do, that is said at once."""
    lease.master = master

    assert await root.say("hachat step-down to node-2") == [said]


async def test_who_is_not_alive_is_not_asked_about(root: Speaker, lease: Lease) -> None:
    """That it cannot take over is known before the question."""
    assert await root.say("hachat step-down to node-9") == [
        "That could not be done: node-9 is not alive, so it cannot take over; alive are node-2, node-3."
    ]
    assert lease.orders == []


async def test_without_redis(root: Speaker, lease: Lease) -> None:
    """Before the question or behind it, that is said in words and not tried again."""
    away = "Redis does not answer me, so I cannot tell who is master."
    lease.error = StoreUnavailable("no answer")
    await root.say("hachat step-down")
    assert await root.say("yes") == [away]

    lease.master = "away"
    assert await root.say("hachat step-down") == [away]
    assert len(lease.orders) == 1


async def test_only_admins_may(driver: Driver, lease: Lease) -> None:
    """Others are not even asked."""
    assert await driver.say("hachat step-down") == ["You may not do that: it is for admins."]
    assert lease.orders == []


async def test_nothing_is_ordered_twice(driver: Driver, root: Speaker, lease: Lease) -> None:
    """What failed unexpectedly may have moved the lease: it is not tried again."""
    lease.error = RuntimeError("a fault of ours")
    await root.say("hachat step-down")
    await root.say("yes")
    await driver.advance("1h")

    assert len(lease.orders) == 1
