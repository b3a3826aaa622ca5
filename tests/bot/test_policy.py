"""How a route wants to be run."""

from __future__ import annotations

from typing import Any

import pytest

from hachat import Handler, Retry, command, hear, hook
from hachat.bot.declarations import DECLARED
from hachat.bot.policy import COMMAND_AGE, DELAYS, Policy, choose_delay
from hachat.core.errors import HandlerError


def test_delays_grow_and_are_spread() -> None:
    """Each try waits longer than the one before at best, and no two nodes wait the same."""
    assert [choose_delay(attempt, lambda: 1.0) for attempt in range(5)] == list(DELAYS)
    assert [choose_delay(attempt, lambda: 0.0) for attempt in range(5)] == [
        delay / 2 for delay in DELAYS
    ]
    assert list(DELAYS) == sorted(DELAYS)


def test_a_retry_is_never_due_in_the_past() -> None:
    """Whoever asks for another try in the past gets one at once."""
    assert Retry(after=-5).after == 0.0
    assert str(Retry(after=30)) == "to be tried again in 30 s"
    assert str(Retry("still locked", after=30)) == "still locked"


def test_what_decorators_say_is_declared() -> None:
    """Every option reaches the route; people's words grow old unless told otherwise, webhooks do not."""

    class Zoo(Handler):
        @command("a", retry="never", timeout=5, order="user", concurrency=2)
        async def a(self, ctx: object) -> None: ...

        @hear("b", age=None)
        async def b(self, ctx: object) -> None: ...

        @hook.post("/c", timeout=60)
        async def c(self, ctx: object) -> None: ...

    def policy(function: Any) -> Policy:
        declared: Policy = getattr(function, DECLARED)[0].policy
        return declared

    assert policy(Zoo.a) == Policy("never", 5, COMMAND_AGE, "user", 2)
    assert policy(Zoo.b) == Policy(age=None)
    assert policy(Zoo.c) == Policy(timeout=60)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"retry": "always"}, 'write "backoff" or "never"'),
        ({"order": "channel"}, 'write "room", "thread", "user" or "none"'),
        ({"timeout": 0}, "timeout=0; write seconds above 0"),
        ({"age": -1}, "age=-1; write seconds above 0"),
        ({"concurrency": -1}, "write a number, 0 for any"),
        ({"retries": 3}, "unknown option 'retries'; known are retry, timeout"),
        ({"timeout": "soon"}, "timeout='soon'; write seconds above 0"),
        ({"concurrency": 1.5}, "write a number, 0 for any"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], says: str) -> None:
    """A wrong option is named with its method as the module is imported."""

    def ship(self: object, ctx: object) -> None: ...

    with pytest.raises(HandlerError, match=says) as error:
        command("ship", **options)(ship)
    assert "ship" in str(error.value)
