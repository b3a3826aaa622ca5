"""Those who want something of the bot: people in channels, and senders of webhooks who send again what they are not sure of."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import httpx
import msgspec
import trio

from hachat.core.errors import StoreError
from tests.waiting import until
from tests.whole.cluster import Cluster
from tests.whole.handlers import Order
from tests.whole.judge import Ask
from tests.whole.network import Network

ROOMS: Sequence[str] = tuple(f"#room-{number}" for number in range(10))

RATE = 45.0
"""Lines and webhooks a second."""

HOOKS = 0.12
"""Share of webhooks."""

SLOW = 0.03
"""Share of what takes 0.2 to 2 seconds."""

FAILS = 0.03
"""Share of lines whose handler raises."""

TWICE = 0.3
"""Share of webhooks that are posted again although they were accepted."""

_PATIENCE = 3.0
"""Seconds a sender waits for an answer."""

_PAUSE = 0.2
"""Seconds until a sender tries again."""

_TENACITY = 60.0
"""Seconds after which a sender takes it that nobody will ever accept."""


@dataclass
class Crowd:
    """Asks for things; `asks` is what it has asked for."""

    cluster: Cluster
    network: Network
    dice: random.Random
    asks: list[Ask] = field(default_factory=list)
    _urls: list[str] = field(default_factory=list)

    async def shout(self, seconds: float) -> None:
        """Ask for `seconds`, and go on until every webhook is accepted."""
        async with httpx.AsyncClient(timeout=_PATIENCE) as http, trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_looking)
            async with trio.open_nursery() as posting:
                due = trio.current_time()
                for number in range(1, int(seconds * RATE) + 1):
                    await trio.sleep_until(due)
                    due += 1 / RATE
                    ask = self._think_of(number)
                    self.asks.append(ask)
                    if ask.hook:
                        posting.start_soon(self._post, http, ask)
                    else:
                        fail = " fail" if ask.fails else ""
                        text = f"hachat: count {ask.number} {ask.times} {ask.seconds:.3f}{fail}"
                        self.network.say(ask.room, text)
            nursery.cancel_scope.cancel()

    def _think_of(self, number: int) -> Ask:
        dice = self.dice
        hook = dice.random() < HOOKS
        slow = dice.random() < SLOW
        return Ask(
            number,
            dice.choice(ROOMS),
            times=dice.choice((1, 1, 1, 2, 3)),
            seconds=dice.uniform(0.2, 2.0) if slow else dice.uniform(0.0, 0.02),
            fails=dice.random() < FAILS and not hook,
            hook=hook,
        )

    async def _post(self, http: httpx.AsyncClient, ask: Ask) -> None:
        order = Order(ask.number, f"irc/{ask.room}", ask.times, ask.seconds)
        await until(partial(self._is_accepted, http, order), _TENACITY)
        if random.random() < TWICE:
            await self._is_accepted(http, order)

    async def _is_accepted(self, http: httpx.AsyncClient, order: Order) -> bool:
        """Post once, to any node, and tell whether it was accepted; if not, it may have been all the same."""
        with suppress(httpx.HTTPError, IndexError):
            answer = await http.post(
                f"{random.choice(self._urls)}/hooks/count",
                content=msgspec.json.encode(order),
                headers={"Idempotency-Key": str(order.number)},
            )
            if answer.status_code == httpx.codes.ACCEPTED:
                return True
        await trio.sleep(_PAUSE)
        return False

    async def _keep_looking(self) -> None:
        while True:
            with suppress(StoreError):
                self._urls = [node.http for node in (await self.cluster.alive()).values()]
            await trio.sleep(0.5)
