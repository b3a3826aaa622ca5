"""Tells Redis what came of messages, and hears what is to be handled next.

Whatever is finished while Redis is being told of other things becomes the next *turn*: one script call that finishes
messages and takes as many conversations as were given back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio

from hachat.bot.visit import VISIT_SECONDS, Visit, Visits
from hachat.core.errors import StoreError
from hachat.store.commits import Committed, Head, Taken, Verdict
from hachat.store.inbound import BATCH, Inbound
from hachat.store.keys import Lane
from hachat.store.retry import retry
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

RELUCTANCE = 1.0
"""Seconds until a commit is repeated that Redis refused."""


class Turns:
    """Finishes the visits of one lane, and calls `give` with each whose next head is to be handled.

    `expect` is called with the seconds until something is due that was scheduled in a turn, `reconcile` after a turn of
    which an answer was lost: it may have taken conversations nobody heard of.
    """

    def __init__(
        self,
        queue: Inbound,
        lane: Lane,
        visits: Visits,
        give: Callable[[Sequence[Visit]], None],
        *,
        expect: Callable[[float], None],
        reconcile: Callable[[], Awaitable[None]],
    ) -> None:
        self._queue = queue
        self._lane: Lane = lane
        self._visits = visits
        self._give = give
        self._expect = expect
        self._reconcile = reconcile
        self._finished: list[Visit] = []
        self._news = trio.Event()
        self._closing = False
        self.leaving = False
        """Whether no more is taken or begun; other nodes have the rest."""

    def finish(self, visit: Visit) -> None:
        """Have Redis told what came of a visit's head, or asked for the first."""
        self._finished.append(visit)
        self._news.set()

    def go_to(self, visit: Visit, head: Head | None) -> None:
        """Have `head` handled next, or Redis asked what that is."""
        visit.go_to(head)
        if head is None:
            self.finish(visit)
        elif self.leaving:
            self.pass_on(visit)
        else:
            visit.handled += 1
            self._give([visit])

    def pass_on(self, visit: Visit) -> None:
        """Leave what is at the head of a conversation to other nodes."""
        visit.go_to(None)
        visit.passed_on = True
        self.finish(visit)

    def close(self) -> None:
        """Let `run` return once Redis knows of all that has ended."""
        self._closing = True
        self._news.set()

    async def run(self) -> None:
        """Turn until closed."""
        async with trio.open_nursery() as later:
            while self._finished or not self._is_closed():
                if self._finished:
                    visits, self._finished = self._finished[:BATCH], self._finished[BATCH:]
                    await self._turn(visits, later)
                else:
                    self._news = trio.Event()
                    await self._news.wait()
            later.cancel_scope.cancel()

    def _is_closed(self) -> bool:
        return self._closing and not any(visit.ended for visit in self._visits.in_hand.values())

    async def _turn(self, visits: Sequence[Visit], later: trio.Nursery) -> None:
        now = trio.current_time()
        commits = [visit.make_commit(now, leaving=self.leaving) for visit in visits]
        attempts = 0

        async def turn() -> tuple[list[Committed | StoreError], list[Taken]]:
            nonlocal attempts
            attempts += 1
            most = None if self.leaving else self._visits.room
            return await self._queue.turn(self._lane, commits, most)

        async with self._visits.agreeing:
            answers, taken = await retry(turn)
            for visit, answer in zip(visits, answers, strict=True):
                self._go_on(visit, answer, later)
            until = trio.current_time() + VISIT_SECONDS
            for token, head in taken:
                self.go_to(self._visits.begin(token, until), head)
        if attempts > 1:
            await retry(self._reconcile)

    def _go_on(self, visit: Visit, answer: Committed | StoreError, later: trio.Nursery) -> None:
        conversation = visit.token.conversation
        if isinstance(answer, StoreError):
            report(log, "cannot go on with a conversation yet", answer, conversation=conversation)
            later.start_soon(self._finish_later, visit)
            return
        verdict, head = answer
        for job in visit.later:
            self._expect(job.delay)
        if verdict is Verdict.LOST and visit.head is not None:
            log.warning("another node took this conversation over", conversation=conversation)
        if head is None:
            self._visits.end(visit)
        else:
            self.go_to(visit, head)

    async def _finish_later(self, visit: Visit) -> None:
        await trio.sleep(RELUCTANCE)
        self.finish(visit)
