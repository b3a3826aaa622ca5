"""A step-down as it is asked for from any node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from hachat.cluster.stepdown import step_down
from hachat.core.errors import UsageError
from hachat.core.lease import Event, EventKind, Sight, Token

OLD = Token(0, 7, "a", "a1")
NEW = Token(0, 8, "b", "b1")
OTHER = Token(0, 8, "c", "c1")


def event(
    kind: EventKind, at: int, token: Token | None = OLD, request: str = "", reason: str = ""
) -> Event:
    """Return the event of that millisecond."""
    return Event(kind, Sight(f"{at}-0", "x@0"), token, reason=reason, request=request)


@dataclass
class Script:
    """An election that answers a request with the events it was given."""

    events: Sequence[Event] = ()
    master: Token | None = OLD
    requests: list[tuple[Token, str, str, str]] = field(default_factory=list)

    async def read_master(self) -> Token | None:
        """Return the master."""
        return self.master

    async def request_step_down(self, token: Token, to: str, reason: str, by: str) -> str:
        """Keep the request."""
        self.requests.append((token, to, reason, by))
        return "1000-0"

    async def follow(self, hear: Callable[[Event], Awaitable[None]], after: str) -> None:
        """Tell the events, and then nothing more."""
        assert after == "1000-0"
        for told in self.events:
            await hear(told)
            await trio.lowlevel.checkpoint()
        await trio.sleep_forever()


async def test_it_returns_once_the_successor_is_confirmed() -> None:
    """The result says who was, who is, and for how long nobody was."""
    script = Script([event("renewed", 1100), event("released", 1200), event("acquired", 1203, NEW)])
    done = await step_down(script, ["a", "b", "c"], to="b", reason="deploy", by="ada")
    assert script.requests == [(OLD, "b", "deploy", "ada")]
    assert (done.old, done.new, round(done.gap, 3)) == (OLD, NEW, 0.003)


async def test_without_a_name_any_other_node_will_do() -> None:
    """Whoever takes over is the successor."""
    script = Script([event("released", 1200), event("acquired", 1200, OTHER)])
    assert (await step_down(script, ["a", "b", "c"])).new == OTHER


@pytest.mark.parametrize(
    ("alive", "to", "why"),
    [
        ("ab", "a", "a is the master already"),
        ("ab", "z", "z is not alive, so it cannot take over; alive are b"),
        ("a", "", "a is the only node alive"),
    ],
)
async def test_what_cannot_work_is_not_asked_for(alive: str, to: str, why: str) -> None:
    """A request that is bound to fail is refused before it is made."""
    script = Script()
    with pytest.raises(UsageError, match=why):
        await step_down(script, list(alive), to=to)
    assert script.requests == []


async def test_without_a_master_nobody_steps_down() -> None:
    """There is nothing to move."""
    with pytest.raises(UsageError, match="nobody is master"):
        await step_down(Script(master=None), ["a", "b"])


async def test_a_refusal_is_passed_on() -> None:
    """The master's own reason is what the operator reads; another request's refusal is not."""
    script = Script(
        [
            event("refused", 1100, None, "999-0", "wrong"),
            event("refused", 1200, None, "1000-0", "b is broken"),
        ]
    )
    with pytest.raises(UsageError, match="a refused to step down: b is broken"):
        await step_down(script, ["a", "b"])


async def test_another_successor_than_the_named_one_is_told() -> None:
    """The lease has moved, but not where it should: that is no success."""
    script = Script([event("released", 1200), event("acquired", 4300, OTHER)])
    with pytest.raises(UsageError, match="c has taken over from a, not b"):
        await step_down(script, ["a", "b", "c"], to="b")


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ((), "a did not step down within 10 s"),
        ((event("released", 1200),), "nobody took over within 10 s"),
    ],
)
async def test_patience_ends(events: Sequence[Event], why: str, autojump_clock: MockClock) -> None:
    """Whoever waits in vain learns how far it got."""
    with pytest.raises(UsageError, match=why):
        await step_down(Script(events), ["a", "b"])
