"""Moving the lease from the chat."""

from __future__ import annotations

from dataclasses import dataclass

from hachat.bot.handlers.stepdown import StepDown
from hachat.core.errors import StepDownRefused, StoreUnavailable
from hachat.core.stepdown import Order
from hachat.testing import Driver, handlers


@dataclass
class Moved:
    """A step-down as it might be."""

    old: str = "node-1"
    new: str = "node-2"
    gap: float | None = 0.004


class Mover:
    """Moves as a test says, and keeps the orders."""

    def __init__(self, outcome: Moved | Exception) -> None:
        self.orders: list[Order] = []
        self._outcome = outcome

    async def __call__(self, order: Order) -> Moved:
        """Keep the order."""
        self.orders.append(order)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


FINE = Mover(Moved())
ADMINS = {"admins": ["ada"]}


@handlers(StepDown(FINE), groups=ADMINS)
async def test_an_admin_who_means_it_moves_the_lease(bot: Driver) -> None:
    """After a yes, in their name; a no moves nothing."""
    ada = bot.as_user("ada")
    assert await ada.say("hachat step-down") == ["Shall another node be master? (yes or no)"]
    assert await ada.say("no") == ["Then it stays as it is."]
    assert FINE.orders == []
    await ada.say("hachat step-down to node-2")
    told = ["node-2 is master in place of node-1, after 4 ms without one."]
    assert await ada.say("yes") == told
    assert FINE.orders == [Order(to="node-2", by="test/ada")]
    assert await bot.say("hachat step-down") == ["You may not do that: it is for admins."]


@handlers(StepDown(Mover(StepDownRefused("node-9 is not alive", "ineligible"))), groups=ADMINS)
async def test_a_refusal_is_told(bot: Driver) -> None:
    """With its reason."""
    ada = bot.as_user("ada")
    await ada.say("hachat step-down to node-9")
    assert await ada.say("yes") == ["It stays as it is: node-9 is not alive."]


@handlers(StepDown(Mover(StoreUnavailable("away"))), groups=ADMINS)
async def test_a_redis_that_is_away_is_told(bot: Driver) -> None:
    """Nobody knows then."""
    ada = bot.as_user("ada")
    await ada.say("hachat step-down")
    (said,) = await ada.say("yes")
    assert said.startswith("Redis does not answer me")
