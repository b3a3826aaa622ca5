"""Keeps company to messages whose handlers take longer than a moment.

What they say is sent as they say it, and after some patience their conversation goes on without them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import structlog
import trio

from hachat.bot.visit import Visit
from hachat.core.messages import Reply
from hachat.store.commits import Held, Token
from hachat.store.inbound import Inbound
from hachat.store.retry import retry

log = structlog.get_logger(__name__)

MOMENT = 0.05
"""Seconds a handler may take before what it says is sent before it ends."""


class Company:
    """Accompanies visits from the moment they are slow until they end, and calls `finish` with each then.

    A message that takes longer than `patience` seconds is moved out of its conversation's way.
    """

    def __init__(self, queue: Inbound, patience: float, finish: Callable[[Visit], None]) -> None:
        self._queue = queue
        self._patience = patience
        self._finish = finish
        # As many at most as there are hands.
        self._send, self._receive = trio.open_memory_channel[Visit](math.inf)

    def join(self, visit: Visit) -> None:
        """Accompany `visit` from now on."""
        visit.news = trio.lowlevel.ParkingLot()
        self._send.send_nowait(visit)

    async def run(self) -> None:
        """Keep company for ever."""
        async with trio.open_nursery() as nursery:
            async for visit in self._receive:
                nursery.start_soon(self._accompany, visit)

    async def _accompany(self, visit: Visit) -> None:
        run, news = visit.run, visit.news
        assert run is not None
        assert news is not None
        token = trio.lowlevel.current_trio_token()
        run.listen(partial(token.run_sync_soon, news.unpark_all, idempotent=True))
        patience_ends = visit.began + self._patience
        told: set[str] = set()
        while not visit.ended and not visit.lost:
            replies = [reply for reply in run.said if reply.id not in told]
            aside = visit.aside if trio.current_time() >= patience_ends else ""
            if aside == visit.token.conversation:
                aside, patience_ends = "", math.inf
            if replies or aside:
                told.update(reply.id for reply in replies)
                await self._tell(visit, replies, aside)
            else:
                with trio.CancelScope(deadline=patience_ends):
                    await news.park()
        if visit.ended:
            self._finish(visit)

    async def _tell(self, visit: Visit, replies: list[Reply], aside: str) -> None:
        assert visit.head is not None
        progress = await retry(
            partial(self._queue.progress, visit.token, visit.head, replies, aside=aside)
        )
        if progress.held is not Held.HELD:
            log.warning("another node has taken a message over", message=visit.head.id)
            visit.lose()
        elif aside:
            visit.token = Token(visit.token.lane, visit.token.entry, aside)
            log.info("a conversation goes on without a slow message", message=visit.head.id)
