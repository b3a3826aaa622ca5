"""A master that cannot do its duty, in virtual time: when it asks the others, when it leaves, and when it never does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from hachat.cluster.elector import Elector
from hachat.cluster.handover import Warm
from hachat.cluster.health import FORGET, LONGEST, PATIENCE, Health, Patience
from hachat.cluster.term import Term
from hachat.core.errors import StepDownRefused, StoreUnavailable
from tests.cluster.test_elector import Duty, Network, elect, start
from tests.cluster.test_requests import break_down, hang, holder, live

FAULT = "irc: connection refused"


class Asked:
    """Somebody to hand over to; notes when and why it was asked, and says no with `refusal`."""

    def __init__(self, refusal: Exception) -> None:
        self.at: list[float] = []
        self.reasons: list[str] = []
        self._refusal = refusal

    async def __call__(self, reason: str) -> None:
        """Refuse."""
        await trio.lowlevel.checkpoint()
        self.at.append(trio.current_time())
        self.reasons.append(reason)
        raise self._refusal


@pytest.fixture
def network() -> Network:
    """A network in order."""
    return Network()


@pytest.fixture
def asked() -> Asked:
    """Others of whom none can do it either."""
    return Asked(StepDownRefused("b is not ready: connection refused", "no successor"))


async def watch(nursery: trio.Nursery, asked: Asked, patience: Patience | None = None) -> Health:
    """Return the health of a master that is watched."""
    health = Health()
    nursery.start_soon(health.watch, patience or Patience(), asked)
    return health


async def lead(
    network: Network, nursery: trio.Nursery, choose: Sequence[str] | StepDownRefused = ("b",)
) -> tuple[Elector, Duty, Term]:
    """Return a master with these candidates, its duty, and its first term."""

    async def find(to: str) -> Sequence[str]:
        if isinstance(choose, StepDownRefused):
            raise choose
        return [to] if to else choose

    elector, duty = elect(network, choose=find), Duty()
    return elector, duty, await start(nursery, elector, duty)


# When it asks.


async def test_a_fault_is_borne_for_a_while(
    asked: Asked, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The others are asked when it has lasted for the patience, and told what it is then."""
    health = await watch(nursery, asked)
    health.note("irc: not connected yet")
    await trio.sleep(PATIENCE / 2)
    health.note(FAULT)
    await trio.sleep(PATIENCE / 2 - 0.1)
    assert asked.at == []
    await trio.sleep(0.2)
    assert asked.at == [PATIENCE]
    assert asked.reasons == [FAULT]


async def test_who_recovers_in_time_asks_nobody(
    asked: Asked, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """However often: each fault is borne anew."""
    health = await watch(nursery, asked)
    for _ in range(20):
        health.note(FAULT)
        await trio.sleep(PATIENCE - 0.1)
        health.note("")
        await trio.sleep(0.1)
    await trio.sleep(PATIENCE)
    assert asked.at == []


async def test_a_recovery_that_is_over_at_once_counts(
    asked: Asked, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nothing has run in between, and yet it was connected."""
    health = await watch(nursery, asked)
    health.note(FAULT)
    await trio.sleep(PATIENCE - 0.1)
    health.note("")
    health.note(FAULT)
    await trio.sleep(PATIENCE - 0.1)
    assert asked.at == []
    await trio.sleep(0.2)
    assert len(asked.at) == 1


@pytest.mark.parametrize(
    "refusal", [StepDownRefused("nobody", "no successor"), StoreUnavailable("Redis is away")]
)
async def test_it_asks_less_and_less_often(
    refusal: Exception, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The wait doubles up to its longest; each time is logged once, with its outcome."""
    asked = Asked(refusal)
    health = await watch(nursery, asked)
    with capture_logs() as logs:
        health.note(FAULT)
        await trio.sleep(FORGET)
    waits = [later - earlier for earlier, later in pairwise([0.0, *asked.at])]
    assert waits == [10.0, 20.0, 40.0, 80.0, 160.0, LONGEST]
    assert [(log["event"], log.get("fault"), log.get("reason")) for log in logs] == [
        ("cannot do the master's duty; asking who can", FAULT, None),
        ("stays master all the same", None, str(refusal)),
    ] * 6


async def test_a_later_term_of_the_node_is_as_patient_as_it_has_become(
    asked: Asked, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Or two nodes could pass the lease round and round; after a long time it is forgotten."""
    patience = Patience()
    (await watch(nursery, asked, patience)).note(FAULT)
    await trio.sleep(PATIENCE + 1)
    nursery.cancel_scope.cancel()
    waits = []
    for pause in (0.0, FORGET - 1, FORGET + 1):
        with trio.CancelScope(shield=True) as term:
            async with trio.open_nursery() as later:
                await trio.sleep(pause)
                began, before = trio.current_time(), len(asked.at)
                (await watch(later, asked, patience)).note(FAULT)
                while len(asked.at) == before:  # noqa: ASYNC110 - in virtual time
                    await trio.sleep(1)
                waits.append(asked.at[-1] - began)
                term.cancel()
    assert waits == [2 * PATIENCE, 4 * PATIENCE, PATIENCE]


# What comes of it.


async def test_it_hands_over_to_who_is_ready(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The one that cannot is passed over; the history gets the cause and the fault, and it may not come back at once."""
    _, _, term = await lead(network, nursery, ["b", "c"])
    await live(network, nursery, "b", warm=break_down)
    await live(network, nursery, "c")
    term.health.note(FAULT)
    await trio.sleep(PATIENCE - 0.5)
    assert not term.leaving.is_set()
    await term.over.wait()
    await trio.sleep(0.5)
    assert holder(network.server) == "c"
    assert network.causes == [("unreachable", "")]
    assert f"release {FAULT}" in network.calls
    assert network.server.state.barred == "a/a1"


@pytest.mark.parametrize("warm", [break_down, hang])
async def test_without_a_ready_successor_it_stays(
    warm: Warm, network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """For ever, and goes on asking; so it does where the only other node has died."""
    _, _, term = await lead(network, nursery, ["b", "dead"])
    await live(network, nursery, "b", warm=warm)
    term.health.note(FAULT)
    await trio.sleep(3600)
    assert term.remaining()
    assert not term.leaving.is_set()
    assert network.calls.count("prepare dead") > 20


@pytest.mark.parametrize("code", ["paused", "no successor"])
async def test_without_a_candidate_nobody_is_asked(
    code: str, network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """In a pause, or with all others drained, it stays."""
    _, _, term = await lead(network, nursery, StepDownRefused("no", code))  # type: ignore[arg-type]
    await live(network, nursery, "b")
    term.health.note(FAULT)
    await trio.sleep(600)
    assert term.remaining()
    assert not any(call.startswith("prepare") for call in network.calls)


async def test_who_recovers_while_it_asks_stays(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A successor that gets ready after that is not handed the lease."""
    gate = trio.Event()

    async def get_ready(*, task_status: trio.TaskStatus[None]) -> None:
        await gate.wait()
        task_status.started()
        await trio.sleep_forever()

    _, _, term = await lead(network, nursery)
    await live(network, nursery, warm=get_ready)
    term.health.note(FAULT)
    await trio.sleep(PATIENCE + 1)
    assert "prepare b" in network.calls
    term.health.note("")
    gate.set()
    await trio.sleep(600)
    assert not term.leaving.is_set()


async def test_an_order_goes_before_it(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Who orders a step-down while it asks is not refused, and gets the successor that was named."""

    async def get_ready_slowly(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(2)
        task_status.started()
        await trio.sleep_forever()

    _, _, term = await lead(network, nursery)
    await live(network, nursery, "b", warm=get_ready_slowly)

    async def get_ready_later(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(3)
        task_status.started()
        await trio.sleep_forever()

    await live(network, nursery, "c", warm=get_ready_later)
    begun = trio.current_time()
    term.health.note(FAULT)
    await trio.sleep(PATIENCE + 0.5)
    network.server.step_down("c", by="ada", reason="now")
    await term.over.wait()
    await trio.sleep(0.5)
    assert trio.current_time() - begun < PATIENCE + 5
    assert network.refusals == []
    assert network.causes == [("step-down", "ada")]
    assert holder(network.server) == "c"


async def test_two_that_lose_it_in_turn_move_the_lease_less_and_less(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Each reaches its service only before it is master: the lease moves a dozen times in ten minutes, then every 90 s."""
    moves: list[float] = []

    async def duty(term: Term) -> None:
        moves.append(trio.current_time())
        term.health.note(FAULT)
        await term.leaving.wait()

    def other_than(node: str) -> Elector:
        async def find(to: str) -> Sequence[str]:
            return ["b" if node == "a" else "a"]

        return elect(network, node, choose=find)

    for node in "ab":
        await nursery.start(other_than(node).run, duty)
    await trio.sleep(3600)
    early = [at for at in moves[1:] if at < FORGET]
    assert len(early) <= 12
    assert len(moves) > 20
    late = [later - earlier for earlier, later in pairwise(moves) if earlier > FORGET]
    assert min(late) > LONGEST / 2
    assert {cause for cause, _ in network.causes} == {"unreachable"}
