"""A master that is asked to step down, in virtual time: who is followed, who is refused, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from hachat.cluster.elector import Elector
from hachat.cluster.handover import PREPARE, Warm
from hachat.cluster.term import Term
from hachat.core.errors import StepDownCode, StepDownRefused, StoreUnavailable, UsageError
from hachat.core.lease import Event, Sight
from tests.cluster.fake_lease import FakeServer
from tests.cluster.test_elector import Duty, Network, elect, start


@pytest.fixture
def network() -> Network:
    """A network in order."""
    return Network()


async def live(
    network: Network, nursery: trio.Nursery, node: str = "b", warm: Warm | None = None
) -> Elector:
    """Return the elector of a standby, which has heard of the present term."""
    elector = elect(network, node) if warm is None else elect(network, node, warm=warm)
    await nursery.start(elector.run, Duty())
    await trio.sleep(0.5)
    return elector


async def lead(
    network: Network,
    nursery: trio.Nursery,
    choose: Sequence[str] | StepDownRefused = (),
    *,
    drain: float = 0.0,
) -> Term:
    """Return the term of a master that finds these candidates, or none and why."""

    async def find(to: str) -> Sequence[str]:
        if isinstance(choose, StepDownRefused):
            raise choose
        return [to] if to else choose

    return await start(nursery, elect(network, choose=find), Duty(drain))


def holder(server: FakeServer) -> str:
    """Return the node that holds the lease, or an empty text."""
    state = server.state
    return state.holder.node if state.holder and state.held else ""


async def break_down(*, task_status: trio.TaskStatus[None]) -> None:
    """Fail to get ready."""
    raise ConnectionError("the chat is away")


async def hang(*, task_status: trio.TaskStatus[None]) -> None:
    """Take for ever to get ready."""
    await trio.sleep_forever()


async def test_the_successor_is_ready_before_the_master_stops(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The master works on until the successor has answered, and it is that one who leads next."""
    gate = trio.Event()

    async def get_ready(*, task_status: trio.TaskStatus[None]) -> None:
        await gate.wait()
        task_status.started()

    term = await lead(network, nursery, ["b"])
    await live(network, nursery, warm=get_ready)
    network.server.step_down("b")
    await trio.sleep(2)
    assert not term.leaving.is_set()

    gate.set()
    await term.over.wait()
    await trio.sleep(0.5)

    assert holder(network.server) == "b"


@pytest.mark.parametrize(
    ("warm", "reason"),
    [
        (break_down, "b is not ready: the chat is away"),
        (hang, "b is not ready: no answer within 5 s"),
    ],
)
async def test_a_successor_that_is_not_ready_moves_nothing(
    warm: Warm, reason: str, network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The master stays and says why, and can be asked again."""
    term = await lead(network, nursery, ["b"])
    await live(network, nursery, warm=warm)
    for _ in range(2):
        network.server.step_down("b")
        await trio.sleep(PREPARE + 1)
    assert [refusal for refusal in network.refusals if refusal[0].startswith("b is")] == [
        (reason, "ineligible")
    ] * 2
    assert not term.leaving.is_set()


async def test_a_successor_that_is_dead_moves_nothing(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nobody answers, and that is a refusal too."""
    term = await lead(network, nursery, ["b"])
    network.server.step_down("b")
    await trio.sleep(PREPARE + 1)
    assert network.refusals == [("b is not ready: no answer within 5 s", "ineligible")]
    assert not term.leaving.is_set()


async def test_the_next_best_is_asked_where_nobody_is_named(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A candidate that cannot get ready is passed over."""
    await lead(network, nursery, ["b", "c"])
    await live(network, nursery, "b", warm=break_down)
    await live(network, nursery, "c")
    network.server.step_down("")
    await trio.sleep(1)
    assert holder(network.server) == "c"


async def test_a_redis_that_fails_over_is_asked_again_for_candidates(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Asked to step down as Redis fails over, a master finds its successor afterwards, and refuses nobody meanwhile."""
    back = trio.current_time() + 2.0

    async def find(to: str) -> Sequence[str]:
        if trio.current_time() < back:
            raise StoreUnavailable("a failover is under way")
        return [to]

    term = await start(nursery, elect(network, choose=find), Duty(0.0))
    await live(network, nursery)
    network.server.step_down("b")
    with trio.fail_after(30):
        await term.over.wait()
    await trio.sleep(0.5)

    assert holder(network.server) == "b"
    assert network.refusals == []


async def test_forced_it_leaves_without_a_successor(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Who insists has the lease given back to anybody, once the named one has had its time."""
    term = await lead(network, nursery, ["b"])
    network.server.step_down("b", force=True)
    await trio.sleep(PREPARE - 0.5)
    assert not term.leaving.is_set()
    await term.over.wait()
    assert (network.server.state.held, network.server.state.heir) == (False, "")


@pytest.mark.parametrize("code", ["ineligible", "no successor", "paused"])
async def test_without_a_candidate_it_is_refused(
    code: StepDownCode, network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The master looks itself, and who asked hears what it found."""
    term = await lead(network, nursery, StepDownRefused("for a reason", code))
    network.server.step_down("z")
    await trio.sleep(0.5)
    assert network.refusals == [("for a reason", code)]
    assert not term.leaving.is_set()


async def test_the_second_request_is_refused_while_the_first_is_followed(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It is told to whom and by whom; the same request heard again is not refused."""
    await lead(network, nursery, ["b"], drain=2.0)
    await live(network, nursery)
    network.server.step_down("b", by="ada", request="first")
    network.server.step_down("b", by="ada", request="first")
    network.server.step_down("c", by="bert", request="second")
    await trio.sleep(1)
    network.server.step_down("c", by="bert", request="third")
    await trio.sleep(2)
    assert network.refusals == [("it is handing over to b, asked by ada already", "pending")] * 2
    assert holder(network.server) == "b"


async def test_who_resigns_is_asked_for_nothing_more(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A node that leaves says so."""
    term = await lead(network, nursery, [], drain=2.0)
    term.leave("", 0.0, "shutdown", "shutdown")
    network.server.step_down("b")
    await trio.sleep(1)
    assert network.refusals == [("it is leaving already", "pending")]


async def test_a_hold_is_written_before_the_lease_moves(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Or the leaver could be back before it is held."""
    term = await lead(network, nursery, ["b"])
    await live(network, nursery)
    network.server.step_down("b", hold=600.0, reason="kernel", by="ada")
    await term.over.wait()
    assert network.calls.index("hold a 600") < network.calls.index("release kernel")


async def test_a_hold_that_cannot_be_written_moves_nothing(
    network: Network,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of what was asked is not done."""

    async def fail(*_: object, **__: object) -> None:
        raise UsageError("no node is known as 'a'")

    monkeypatch.setattr(network, "hold", fail)
    term = await lead(network, nursery, ["b"])
    await live(network, nursery)
    network.server.step_down("b", hold=600.0)
    await trio.sleep(1)
    assert network.refusals == [("no node is known as 'a'", "failed")]
    assert not term.leaving.is_set()


async def test_a_refusal_that_cannot_be_told_is_no_error(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The master stays whether or not the requester can be told."""
    term = await lead(network, nursery, StepDownRefused("no", "no successor"))
    network.cut = True
    event = Event("step-down", Sight("5-0", "a@0"), term.lease.token, "b")
    nursery.start_soon(partial(term_hears, network, event))
    await trio.sleep(0.5)
    network.cut = False
    await trio.sleep(1)
    assert term.remaining()
    assert not term.leaving.is_set()


async def term_hears(network: Network, event: Event) -> None:
    """Announce an event although the way back is cut."""
    network.server.announce(event.kind, event.token, to=event.to)


async def test_the_leavers_death_while_it_prepares_leaves_the_lease_to_run_out(
    network: Network, autojump_clock: MockClock
) -> None:
    """Nothing was moved yet: after a ttl of silence another leads, and getting ready has not prolonged that."""
    async with trio.open_nursery() as standbys:
        doomed_network = Network(network.server)
        async with trio.open_nursery() as doomed:
            await lead(doomed_network, doomed, ["b"])
            await live(network, standbys, warm=hang)
            network.server.step_down("b")
            await trio.sleep(1)
            doomed_network.cut = True
            last = trio.current_time()
            doomed.cancel_scope.cancel()
        while not holder(network.server) == "b":  # noqa: ASYNC110, SIM201 - in virtual time
            await trio.sleep(0.05)
        assert trio.current_time() - last < 5.2
        standbys.cancel_scope.cancel()


async def test_an_heir_that_dies_when_ready_leaves_it_to_others(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The lease is kept for it for three seconds; then anybody else has it, and not the leaver."""
    term = await lead(network, nursery, ["b"], drain=1.0)
    async with trio.open_nursery() as doomed:
        await live(Network(network.server), doomed, "b")
        await live(network, nursery, "c")
        network.server.step_down("b")
        await term.leaving.wait()
        doomed.cancel_scope.cancel()
    await term.over.wait()
    over = trio.current_time()
    while not holder(network.server):  # noqa: ASYNC110 - in virtual time
        await trio.sleep(0.05)
    assert holder(network.server) == "c"
    assert trio.current_time() - over == pytest.approx(3.0, abs=0.2)


async def test_resigning_prefers_who_is_ready_and_never_fails(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A node that leaves asks for a moment who could go on, and leaves anyway."""

    async def find(to: str) -> Sequence[str]:
        return ["z", "b"]

    elector = elect(network, choose=find)
    await start(nursery, elector, Duty())
    await live(network, nursery)
    began = trio.current_time()
    await elector.resign(reason="shutdown")
    assert trio.current_time() - began < 1.2
    await trio.sleep(0.5)
    assert holder(network.server) == "b"
