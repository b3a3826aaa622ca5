"""A few tasks for much work: most pieces take no time, and any of them may take long.

A task and a deadline for each piece would cost more than most pieces do.  So one task goes on from piece to piece for as
long as none makes it wait, and before each it calls another, to whom the rest falls if this one does.  Time is
kept by one task for all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from math import inf
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Clock:
    """When somebody should look for work that takes its time, by trio's clock; `news` is parked on meanwhile."""

    __slots__ = ("look_at", "moment", "news")

    def __init__(self, moment: float) -> None:
        self.look_at = inf
        self.moment = moment
        self.news = trio.lowlevel.ParkingLot()

    def set(self, at: float) -> None:
        """Have somebody look at `at`."""
        if at < self.look_at:
            self.look_at = at
            self.news.unpark_all()


class Hand(Generic[T]):
    """Whoever does a piece of work: it is slow from `slow_at` on and cancelled at `late_at`, by trio's clock."""

    __slots__ = ("_clock", "cancelled", "item", "late_at", "scope", "slow_at")

    def __init__(self, clock: Clock) -> None:
        self.scope = trio.CancelScope()
        self.cancelled = False
        self.item: T | None = None
        self.late_at = self.slow_at = inf
        self._clock = clock

    def allow(self, seconds: float) -> float:
        """Let the piece in hand take `seconds` from now, and return what time it is; until it is told, it may take for ever."""
        now = trio.current_time()
        clock = self._clock
        self.late_at, self.slow_at = now + seconds, now + clock.moment
        if self.slow_at < clock.look_at or self.late_at < clock.look_at:
            clock.set(min(self.late_at, self.slow_at))
        return now

    def cancel(self) -> None:
        """Cancel the piece in hand."""
        self.cancelled = True
        self.scope.cancel()

    def rest(self) -> None:
        """Have nothing in hand any more."""
        self.late_at = self.slow_at = inf
        self.item = None


class Hands(Generic[T]):
    """Has `work` done on each item it is given, in their order, on `count` at once.

    `slow` is called with an item whose work takes longer than `moment` seconds, while it goes on; `late` with one whose
    work was cancelled because its time was up, once it has ended.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[T, Hand[T]], Awaitable[None]],
        late: Callable[[T], None],
        *,
        slow: Callable[[T], None] = lambda _: None,
        moment: float = inf,
    ) -> None:
        self._work = work
        self._late = late
        self._slow = slow
        self._waiting: deque[T] = deque()
        self._clock = Clock(moment)
        self._hands: list[Hand[T]] = [Hand(self._clock) for _ in range(count)]
        self._resting = trio.lowlevel.ParkingLot()
        self._called = False
        self._ending = False

    def give(self, items: Iterable[T]) -> None:
        """Have `items` worked on as soon as there are hands."""
        self._waiting.extend(items)
        self._call()

    def end(self) -> list[T]:
        """Let `run` return once what was begun is done, and return what is not begun any more."""
        self._ending = True
        left, self._waiting = list(self._waiting), deque()
        self._resting.unpark_all()
        return left

    async def run(self) -> None:
        """Work until `end` is called; cancelling it cancels the work, and nothing is late then."""
        async with trio.open_nursery() as timing:
            timing.start_soon(self._keep_time)
            async with trio.open_nursery() as working:
                for hand in self._hands:
                    working.start_soon(self._serve, hand)
            timing.cancel_scope.cancel()

    async def _serve(self, hand: Hand[T]) -> None:
        while not self._ending:
            hand.cancelled = False
            with trio.CancelScope() as hand.scope:
                # Work that ended well although it was late leaves a scope that would cut the next one short.
                while not hand.cancelled and (item := await self._next()) is not None:
                    hand.item = item
                    await self._work(item, hand)
                    hand.rest()
            item = hand.item
            hand.rest()
            if hand.scope.cancelled_caught and item is not None:
                self._late(item)

    async def _next(self) -> T | None:
        while not self._waiting:
            if self._ending:
                return None
            await self._resting.park()
            self._called = False
        item = self._waiting.popleft()
        self._call()
        return item

    def _call(self) -> None:
        if self._waiting and not self._called:
            self._called = bool(self._resting.unpark())

    async def _keep_time(self) -> None:
        clock = self._clock
        while True:
            with trio.CancelScope(deadline=clock.look_at):
                await clock.news.park()
            if trio.current_time() >= clock.look_at:
                self._look(trio.current_time())
                # Not whenever something ends, but only when it would have been late: work that ends in time is cheap.
                times = [at for hand in self._hands for at in (hand.slow_at, hand.late_at)]
                clock.look_at = min((at for at in times if at > trio.current_time()), default=inf)

    def _look(self, now: float) -> None:
        for hand in self._hands:
            if hand.slow_at <= now and hand.item is not None:
                hand.slow_at = inf
                self._slow(hand.item)
            if hand.late_at <= now:
                hand.cancel()
