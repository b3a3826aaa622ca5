"""One elector against the simulation's Redis, in virtual time and with a network that does what it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from hachat.cluster.elector import Elector
from hachat.cluster.handover import (
    LEAVE,
    Choose,
    Warm,
    choose_anybody,
    keep_nothing,
    longest_resign,
)
from hachat.cluster.term import Term, read_clock
from hachat.core.errors import Fenced, StepDownCode, StepDownRefused, StoreUnavailable
from hachat.core.lease import Answer, Ask, Cause, Event, Lease, Sight, Token
from hachat.core.timing import Timing
from tests.cluster.fake_lease import FakeServer

TIMING = Timing()


def age(event: str) -> tuple[int, ...]:
    """Return what tells which of two events is the newer."""
    return tuple(map(int, event.split("-")))


@dataclass
class Network:
    """A way to one server that can be cut; `calls` is what was asked."""

    server: FakeServer = field(default_factory=lambda: FakeServer(trio.current_time))
    cut: bool = False
    silent: bool = False
    calls: list[str] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    causes: list[tuple[Cause, str]] = field(default_factory=list)

    async def acquire(self, ask: Ask) -> Answer:
        """Ask the server."""
        await self._travel("acquire")
        return self.server.acquire(ask)

    async def renew(self, token: Token) -> bool:
        """Ask the server."""
        await self._travel("renew")
        return self.server.renew(token, TIMING.ttl)

    async def release(
        self, token: Token, heir: str, barred: float, reason: str, *, cause: Cause, by: str
    ) -> bool:
        """Keep why, and ask the server."""
        self.causes.append((cause, by))
        await self._travel(f"release {reason}")
        return self.server.release(token, heir, barred, reason)

    async def refuse(self, request: str, reason: str, code: StepDownCode) -> None:
        """Keep what was said, and announce it."""
        await self._travel("refuse")
        self.refusals.append((reason, code))
        self.server.announce("refused", request=request, reason=reason, code=code)

    async def prepare(self, token: Token, heir: str, request: str) -> None:
        """Announce it."""
        await self._travel(f"prepare {heir}")
        self.server.announce("prepare", token, to=heir, request=request)

    async def ready(self, request: str) -> None:
        """Announce it."""
        await self._travel("ready")
        self.server.announce("ready", request=request)

    async def hold(self, node: str, seconds: float, *, by: str, reason: str) -> None:
        """Keep it."""
        await self._travel(f"hold {node} {seconds:g}")

    async def follow(self, hear: Callable[[Event], Awaitable[None]]) -> None:
        """Pass on whatever the server announces."""
        await hear(Event("connected", Sight(self.server.newest, self.server.identity)))
        heard = self.server.newest
        while True:
            news = self.server.news
            for event in self.server.state.events:
                if age(event.sight.event) > age(heard):
                    heard = event.sight.event
                    await hear(event)
            if self.server.newest == heard:
                await news.wait()

    async def _travel(self, call: str) -> None:
        self.calls.append(call)
        await trio.sleep(0.001)
        if self.silent:
            await trio.sleep_forever()
        if self.cut:
            raise StoreUnavailable("the cable is out")


@dataclass
class Duty:
    """A duty that drains for `drain` seconds and keeps what happened to it."""

    drain: float = 0.0
    terms: list[Term] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    begun: trio.Event = field(default_factory=trio.Event)

    async def __call__(self, term: Term) -> None:
        """Work until told to leave."""
        self.terms.append(term)
        self.begun.set()
        how = "cancelled"
        try:
            await term.leaving.wait()
            await trio.sleep(self.drain)
            how = "left"
        finally:
            self.ended.append(f"{how} at {trio.current_time():.1f}")


@pytest.fixture
def network() -> Network:
    """A network in order."""
    return Network()


def elect(
    network: Network,
    node: str = "a",
    *,
    choose: Choose = choose_anybody,
    warm: Warm = keep_nothing,
    delay: Callable[[str], float] = lambda _: 0.0,
    on_order: Callable[[], None] = lambda: None,
    candidate: bool = True,
    on_held: Callable[[str], None] = lambda _: None,
) -> Elector:
    """Return an elector whose jitter is none."""
    return Elector(
        network,
        node,
        f"{node}1",
        TIMING,
        clock=trio.current_time,
        random=lambda: 0.5,
        choose=choose,
        warm=warm,
        delay=delay,
        on_order=on_order,
        candidate=candidate,
        on_held=on_held,
    )


async def start(nursery: trio.Nursery, elector: Elector, duty: Duty) -> Term:
    """Run the elector and return its first term."""
    await nursery.start(elector.run, duty)
    await duty.begun.wait()
    return duty.terms[0]


async def test_a_term_lasts_as_long_as_it_is_renewed(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Renewals come every `renew` seconds and move the scope's deadline with the lease's."""
    elector, duty = elect(network), Duty()
    term = await start(nursery, elector, duty)
    await trio.sleep(60)
    assert elector.term is term
    assert network.calls.count("renew") == pytest.approx(60 / 1.25, abs=1)
    assert term.remaining() >= TIMING.span - TIMING.renew - 0.1
    assert term.scope.deadline == pytest.approx(trio.current_time() + term.remaining())
    assert (term.token, term.epoch) == (str(network.server.state.lease), term.lease.token.epoch)
    assert elector.floor == term.epoch


async def test_what_is_held_is_told_from_the_beginning_to_the_release(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The token is told before the duty begins, and that nothing is held only once Redis has it back."""
    told: list[str] = []
    duty = Duty()

    async def check(term: Term) -> None:
        assert told == [term.token]
        await duty(term)

    elector = elect(network, on_held=told.append)
    await nursery.start(elector.run, check)
    await duty.begun.wait()
    (term,) = duty.terms
    network.cut = True
    nursery.start_soon(elector.resign)
    await trio.sleep(0.3)
    assert duty.ended
    assert told == [term.token]
    network.cut = False
    await term.over.wait()
    assert told == [term.token, ""]


@pytest.mark.parametrize("how", ["cut", "silent"])
async def test_a_term_falls_by_itself_when_renewals_stop(
    how: str, network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Without an answer the duty is cancelled a span after the last confirmed question, before the key expires."""
    elector, duty = elect(network), Duty()
    term = await start(nursery, elector, duty)
    await trio.sleep(10)
    until = term.lease.until
    setattr(network, how, True)
    await trio.sleep(TIMING.ttl)
    assert duty.ended == [f"cancelled at {until:.1f}"]
    assert until < network.server.state.until
    assert elector.term is None
    assert "release lost" in network.calls
    assert network.causes[0] == ("isolated", "")


async def test_an_unanswered_renewal_is_repeated_quickly(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """One cut of half a second costs nothing but a few questions."""
    duty = Duty()
    term = await start(nursery, elect(network), duty)
    await trio.sleep(1)
    network.cut = True
    await trio.sleep(0.75)
    network.cut = False
    await trio.sleep(0.1)
    assert network.calls.count("renew") > 5
    assert term.remaining() > TIMING.span - 0.2
    assert not duty.ended


async def test_a_lost_lease_cancels_at_once(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Once Redis says that the lease is another's, nothing more is done in its name."""
    duty = Duty()
    term = await start(nursery, elect(network), duty)
    network.server.state.lease = Token(0, 99, "b", "b1")
    await trio.sleep(TIMING.renew + 0.1)
    assert len(duty.ended) == 1
    assert term.remaining() == 0.0
    assert network.causes == [("taken", "")]


async def test_time_in_suspend_counts(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """After a suspend, in which trio's clock stood still, the term is over at once for whoever asks, and then for all."""
    suspended = 0.0
    elector = Elector(
        network,
        "a",
        "a1",
        TIMING,
        clock=lambda: trio.current_time() + suspended,
        random=lambda: 0.5,
    )
    duty = Duty()
    term = await start(nursery, elector, duty)
    await trio.sleep(1)
    suspended = 60.0
    assert term.remaining() == 0.0
    assert elector.term is None
    asked = len(network.calls)
    await trio.sleep(0.25)
    assert len(duty.ended) == 1
    assert network.causes == [("paused", "")]
    assert "renew" not in network.calls[asked:]


async def test_a_grant_that_came_too_late_starts_nothing(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A duty that would begin after its lease has ended does not begin."""
    elector, duty = elect(network), Duty()
    token = Token(0, 1, "a", "a1")
    lease = Lease(token, TIMING, trio.current_time() - TIMING.span, 0.5)
    await elector._serve(lease, duty)
    assert duty.terms == []


async def test_resigning_waits_for_the_duty_and_the_release(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The lease is kept while the duty drains, and given back to the successor after it, not before."""
    elector, duty = elect(network), Duty(drain=8.0)
    term = await start(nursery, elector, duty)
    nursery.start_soon(elect(network, "b").run, Duty())
    await trio.sleep(1)
    with trio.move_on_after(7.9):
        await elector.resign("b", "test")
    assert term.leaving.is_set()
    assert network.server.holds(term.lease.token)
    await elector.resign("c", "too late to say otherwise")
    assert duty.ended == ["left at 9.0"]
    assert network.causes == [("shutdown", "")]
    await trio.sleep(0.1)
    assert network.server.state.holder is not None
    assert network.server.state.holder.node == "b"
    assert elector.term is None


async def test_resigning_is_slow_within_a_limit(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A successor that is found at the last moment and a renewal without an answer take the time that is reckoned with."""

    async def choose_late(to: str) -> Sequence[str]:
        await trio.sleep(LEAVE - 0.05)
        return ["b"]

    async def go_deaf(*, task_status: trio.TaskStatus[None]) -> None:
        network.silent = True
        task_status.started()
        await trio.sleep_forever()

    elector = elect(network, choose=choose_late)
    term = await start(nursery, elector, Duty())
    await nursery.start(elect(Network(network.server), "b", warm=go_deaf).run, Duty())
    began = trio.current_time()
    nursery.start_soon(elector.resign)
    await term.leaving.wait()
    assert term.heir == "b"
    assert LEAVE < trio.current_time() - began <= longest_resign(TIMING)


async def test_who_resigned_is_barred_and_then_comes_back(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """If nobody else takes over, the leaver leads again after two ttls."""
    elector, duty = elect(network), Duty()
    await start(nursery, elector, duty)
    await elector.resign()
    await trio.sleep(9.9)
    assert len(duty.terms) == 1
    await trio.sleep(0.2)
    assert len(duty.terms) == 2


async def test_resigning_without_a_term_is_nothing(
    network: Network, autojump_clock: MockClock
) -> None:
    """A standby has nothing to give back."""
    await elect(network).resign()
    assert network.calls == []


async def test_being_cancelled_says_goodbye(network: Network, autojump_clock: MockClock) -> None:
    """The end of the daemon cancels the duty first and gives the lease back after it."""
    duty = Duty()
    async with trio.open_nursery() as nursery:
        await start(nursery, elect(network), duty)
        nursery.cancel_scope.cancel()
    assert len(duty.ended) == 1
    assert network.calls[-1] == "release stopped"
    assert network.causes == [("stopped", "")]
    assert not network.server.state.held


async def test_a_goodbye_is_repeated_and_bounded(
    network: Network, autojump_clock: MockClock
) -> None:
    """A frozen Redis keeps nobody from leaving."""
    async with trio.open_nursery() as nursery:
        await start(nursery, elect(network), Duty())
        network.silent = True
        nursery.cancel_scope.cancel()
        began = trio.current_time()
    assert network.calls.count("release stopped") == 3
    assert trio.current_time() - began == pytest.approx(3 * TIMING.op_timeout)


async def test_who_comes_back_after_its_successor_tells_why_its_term_ended(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A goodbye that nobody answered is said again with the next answer, once, and the successor leads on."""
    held: list[str] = []
    old = await start(nursery, elect(network, on_held=held.append), Duty())
    other = Network(network.server)
    successor = Duty()
    await nursery.start(elect(other, "b").run, successor)
    network.silent = True
    await successor.begun.wait()
    network.silent, asked = False, len(network.causes)
    network.server.announce("control")  # what makes a candidate ask, as a new connection does
    await trio.sleep(TIMING.ttl)
    assert network.causes[asked:] == [("isolated", "")]
    assert held == [old.token, ""]
    assert len(successor.terms) == 1
    assert successor.ended == []


@pytest.mark.parametrize(
    ("error", "reason", "cause"),
    [
        (RuntimeError("broken"), "duty failed", "failed"),
        (Fenced("not ours"), "fenced", "fenced"),
        (None, "duty ended", "ended"),
    ],
)
async def test_a_duty_that_ends_by_itself_gives_the_lease_back(
    *,
    error: Exception | None,
    reason: str,
    cause: Cause,
    network: Network,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
) -> None:
    """The lease is released at once, and the next try waits longer each time, so that nothing spins."""
    begun: list[float] = []

    async def duty(term: Term) -> None:
        begun.append(trio.current_time())
        await trio.sleep(0.1)
        if error is not None:
            raise error

    await nursery.start(elect(network).run, duty)
    await trio.sleep(16)
    waits = [later - earlier for earlier, later in pairwise(begun)]
    assert [round(wait / 0.75) for wait in waits] == [1, 2, 4, 8]
    assert network.calls.count(f"release {reason}") == 5
    assert network.causes == [(cause, "")] * 5


async def test_an_error_of_the_duty_is_logged_with_its_trace(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A failing duty is not silent, and fails neither its elector nor the node."""

    async def duty(term: Term) -> None:
        async with trio.open_nursery():
            raise RuntimeError("broken")

    with capture_logs() as logged:
        await nursery.start(elect(network).run, duty)
        await trio.sleep(0.5)
    errors = [line for line in logged if line["log_level"] == "error"]
    assert [line["exc_info"] for line in errors] == [True]


async def test_a_step_down_in_the_stream_is_followed(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The master leaves in favour of the node that the request names."""
    duty = Duty(drain=1.0)
    await start(nursery, elect(network), duty)
    nursery.start_soon(elect(network, "b").run, Duty())
    await trio.sleep(1)
    network.server.step_down("b")
    await trio.sleep(1.1)
    assert len(duty.ended) == 1
    assert network.server.state.holder is not None
    assert network.server.state.holder.node == "b"


async def test_who_asked_for_a_step_down_is_told_with_the_release(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The words of whoever asked are the reason; that it was a step-down, and by whom, stands beside them."""
    elector = elect(network)
    term = await start(nursery, elector, Duty())
    token = term.lease.token
    await elector._hear(Event("step-down", Sight("5-0", "a@0"), token, reason="kernel", by="ada"))
    await term.over.wait()
    assert network.calls[-1] == "release kernel"
    assert network.causes == [("step-down", "ada")]


async def test_a_step_down_of_another_term_is_ignored(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A request that was made of somebody else is not this master's."""
    elector, duty = elect(network), Duty()
    term = await start(nursery, elector, duty)
    old = term.lease.token.epoch - 1
    await elector._hear(Event("step-down", Sight("5-0", "a@0"), Token(0, old, "a", "a1"), "b"))
    assert not term.leaving.is_set()


async def test_who_is_drained_steps_aside(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It is a step-down by whoever ordered it, also where nobody is ready to follow; a standby has nothing to give."""

    async def choose(to: str) -> list[str]:
        raise StepDownRefused("nobody is ready", "no successor")

    elector = elect(network, choose=choose)
    elector.step_aside("drained")
    term = await start(nursery, elector, Duty())
    elector.step_aside("drained", "ada")
    await term.over.wait()
    assert network.calls[-1] == "release drained"
    assert network.causes == [("step-down", "ada")]
    assert network.server.state.heir == ""


async def test_who_is_no_candidate_never_asks(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """However long nobody is master."""
    await nursery.start(elect(network, candidate=False).run, Duty())
    await trio.sleep(60)
    assert network.calls == []


@pytest.mark.parametrize(("heir", "waits"), [("", 0.02), ("b", 0.0)])
async def test_better_nodes_go_first_after_a_release(
    *,
    heir: str,
    waits: float,
    network: Network,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
) -> None:
    """A node waits a moment for better ones, unless it was named."""
    first, left = elect(network), Duty()
    asked: list[str] = []

    def delay(leaver: str) -> float:
        asked.append(leaver)
        return 0.02

    await start(nursery, first, left)
    begun = Duty()
    await nursery.start(elect(network, "b", delay=delay).run, begun)
    await trio.sleep(1)
    await first.resign(heir)
    released = trio.current_time()
    await begun.begun.wait()
    assert waits <= trio.current_time() - released < waits + 0.01
    assert asked == ([] if heir else ["a"])


async def test_orders_are_told_of(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """With each event of one, and when the stream is heard anew, for some may have been missed."""
    told: list[float] = []
    elector = elect(network, on_order=lambda: told.append(trio.current_time()))
    await start(nursery, elector, Duty())
    await trio.sleep(1)
    network.server.order("pause")
    await trio.sleep(1)
    assert told == [0.0, 1.001]


async def test_after_a_crash_in_a_pause_nobody_leads_until_it_is_ended(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Who has waited out the silence meanwhile leads at once then."""
    async with trio.open_nursery() as doomed:
        await start(doomed, elect(network), Duty())
        await trio.sleep(1)
        network.server.order("pause")
        network.cut = True
        doomed.cancel_scope.cancel()
    network.cut = False
    duty = Duty()
    await nursery.start(elect(network, "b").run, duty)
    await trio.sleep(60)
    assert not duty.terms
    network.server.order("pause", None)
    ended = trio.current_time()
    await duty.begun.wait()
    assert trio.current_time() - ended < 0.1


async def test_a_standby_takes_over_after_silence(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A candidate that sees no more renewals takes the lease a ttl after the last one it saw."""
    standby = elect(network, "b")
    duty = Duty()
    async with trio.open_nursery() as doomed:
        await start(doomed, elect(network), Duty())
        await nursery.start(standby.run, duty)
        await trio.sleep(4)
        network.cut = True
        last = trio.current_time()
        doomed.cancel_scope.cancel()
    network.cut = False
    await duty.begun.wait()
    assert TIMING.ttl - TIMING.renew <= trio.current_time() - last <= TIMING.ttl + 0.1


async def test_a_trouble_is_logged_once(
    network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Twenty failures a second make one line."""
    with capture_logs() as logged:
        await start(nursery, elect(network), Duty())
        network.cut = True
        await trio.sleep(3)
    assert [line["error"] for line in logged if "error" in line] == ["the cable is out"]


def test_the_clock_counts_seconds() -> None:
    """Two readings are in order, whatever the platform."""
    assert 0 <= read_clock() <= read_clock()
