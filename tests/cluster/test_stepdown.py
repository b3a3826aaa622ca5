"""A step-down as it is asked for from any node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from hachat.cluster.stepdown import AGAIN, step_down
from hachat.core.errors import StepDownCode, StepDownRefused, StoreUnavailable
from hachat.core.lease import Event, EventKind, Sight, Token
from hachat.core.stepdown import Order

OLD = Token(0, 7, "a", "a1")
AGED = Token(0, 8, "a", "a2")
NEW = Token(0, 8, "b", "b1")
OTHER = Token(0, 8, "c", "c1")

TO_B = Order(to="b", reason="deploy", by="ada")


def event(
    kind: EventKind,
    at: int,
    token: Token | None = OLD,
    *,
    request: str = "",
    reason: str = "",
    code: str = "",
) -> Event:
    """Return the event of that millisecond; the request `ours` is the one that was made."""
    return Event(kind, Sight(f"{at}-0", "x@0"), token, reason=reason, request=request, code=code)


@dataclass
class Script:
    """An election that answers a request with the events it was given; `away` questions are not answered before."""

    events: Sequence[Event] = ()
    master: Token | None = OLD
    later: Token | None = None
    away: int = 0
    fault: StepDownRefused | None = None
    requests: list[tuple[Token, str, Order]] = field(default_factory=list)

    async def read_master(self) -> Token | None:
        """Return the master, or who it is once something was asked."""
        self._answer()
        return self.later if self.requests and self.later else self.master

    async def find(self, leaver: str, to: str) -> list[str]:
        """Find whoever is named."""
        self._answer()
        assert leaver == "a"
        if self.fault is not None:
            raise self.fault
        return [to]

    async def request_step_down(self, token: Token, request: str, order: Order) -> str:
        """Keep the request."""
        self._answer()
        self.requests.append((token, request, order))
        return "1000-0"

    async def follow(self, hear: Callable[[Event], Awaitable[None]], after: str) -> None:
        """Tell the events, and then nothing more."""
        assert after == "1000-0"
        for told in self.events:
            ours = self.requests[0][1]
            request = ours if told.request == "ours" else told.request
            await hear(
                Event(told.kind, told.sight, told.token, "", told.reason, request, code=told.code)
            )
            await trio.lowlevel.checkpoint()
        await trio.sleep_forever()

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("Redis fails over")


async def ask(script: Script, order: Order = TO_B, leaver: str = "") -> tuple[Token, float | None]:
    """Ask for it, and return the successor and the gap."""
    done = await step_down(script, script.find, order, leaver=leaver)
    assert done.old == OLD
    return done.new, done.gap


async def test_it_returns_once_the_successor_is_confirmed() -> None:
    """The result says who was, who is, and for how long nobody was."""
    script = Script([event("renewed", 1100), event("released", 1200), event("acquired", 1203, NEW)])
    new, gap = await ask(script)
    assert [(token, order) for token, _, order in script.requests] == [(OLD, TO_B)]
    assert (new, round(gap or 0.0, 3)) == (NEW, 0.003)


async def test_without_a_name_any_other_node_will_do() -> None:
    """Whoever takes over is the successor."""
    script = Script([event("released", 1200), event("acquired", 1200, OTHER)])
    assert (await ask(script, Order()))[0] == OTHER


async def refused(script: Script, order: Order = TO_B, leaver: str = "") -> tuple[str, str]:
    """Return why it is refused, for people and for programs."""
    with pytest.raises(StepDownRefused) as caught:
        await step_down(script, script.find, order, leaver=leaver)
    return str(caught.value), caught.value.code


async def test_what_cannot_work_is_not_asked_for() -> None:
    """A request that is bound to fail is refused before it is made; forced, it is the master's to decide."""
    fault = StepDownRefused("z is not alive", "ineligible")
    script = Script(fault=fault)
    assert await refused(script) == ("z is not alive", "ineligible")
    assert script.requests == []
    script.events = [event("released", 1200), event("acquired", 1200, NEW)]
    assert (await ask(script, Order(force=True)))[0] == NEW


async def test_without_a_master_nobody_steps_down() -> None:
    """There is nothing to move."""
    why, code = await refused(Script(master=None))
    assert "nobody is master" in why
    assert code == "no master"


async def test_another_master_than_was_meant_is_left_alone() -> None:
    """Who names the leaver asks nothing of anyone else."""
    script = Script()
    assert await refused(script, leaver="b") == ("a is master, not b", "changed")
    assert script.requests == []


@pytest.mark.parametrize(
    ("code", "known"), [("pending", "pending"), ("of a later release", "failed"), ("", "failed")]
)
async def test_a_refusal_is_passed_on(code: str, known: StepDownCode) -> None:
    """The master's own reason is what the operator reads; another request's refusal is not."""
    script = Script(
        [
            event("refused", 1100, None, request="another", reason="wrong"),
            event("refused", 1200, None, request="ours", reason="b is broken", code=code),
        ]
    )
    assert await refused(script) == ("a refused to step down: b is broken", known)


async def test_another_successor_than_the_named_one_is_told() -> None:
    """The lease has moved, but not where it should: that is no success."""
    script = Script([event("released", 1200), event("acquired", 4300, OTHER)])
    why, code = await refused(script)
    assert why.startswith("c has taken over from a, not b")
    assert code == "not taken over"


async def test_a_master_that_has_it_again_is_told() -> None:
    """Nobody took over: a process of the same name has the lease."""
    script = Script([event("released", 1200), event("acquired", 4300, AGED)])
    assert await refused(script, Order()) == ("a is master again", "not taken over")


async def test_a_master_that_is_lost_meanwhile_has_a_successor_of_unseen_gap() -> None:
    """It died before it could hand over; that another leads is what was wanted all the same."""
    assert await ask(Script([event("acquired", 6300, NEW)])) == (NEW, None)


@pytest.mark.parametrize(
    ("events", "why", "code"),
    [
        ((), "a did not step down within 10 s", "unanswered"),
        ((event("released", 1200),), "nobody took over within 10 s", "not taken over"),
    ],
)
async def test_patience_ends(
    events: Sequence[Event], why: str, code: str, autojump_clock: MockClock
) -> None:
    """Whoever waits in vain learns how far it got."""
    told = await refused(Script(events))
    assert why in told[0]
    assert told[1] == code


async def test_a_successor_no_event_has_told_of_is_found(autojump_clock: MockClock) -> None:
    """A failover of Redis can lose the events; who is master then is what counts."""
    assert await ask(Script(later=NEW)) == (NEW, None)


async def test_a_redis_that_fails_over_is_asked_again(autojump_clock: MockClock) -> None:
    """Each question may be repeated, and is, for as long as the patience lasts."""
    events = [event("released", 1200), event("acquired", 1201, NEW)]
    assert (await ask(Script(events, away=7)))[0] == NEW
    with pytest.raises(StoreUnavailable):
        await step_down(Script(away=10**6), Script().find, TO_B, patience=10 * AGAIN)


async def test_a_new_server_is_asked_again_under_the_same_name() -> None:
    """It may have lost the request; one name makes one request of it."""
    script = Script(
        [event("connected", 1000, None), event("released", 1200), event("acquired", 1201, NEW)]
    )
    await ask(script)
    assert len(script.requests) == 2
    assert len({name for _, name, _ in script.requests}) == 1
