"""A few hands for much work, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

import pytest
import trio
import trio.testing

from hachat.tasks.hands import Hand, Hands
from tests.waiting import until


class Works:
    """Work that takes as long as the item says, in seconds, and may take `allowed`."""

    def __init__(self, count: int, allowed: float = inf) -> None:
        self.late: list[float] = []
        self.hands = Hands(count, self.work, self.late.append)
        self.allowed = allowed
        self.began: list[float] = []
        self.ended: list[float] = []
        self.most = 0
        self.stubborn = False

    async def work(self, item: float, hand: Hand[float]) -> None:
        """Work on one item; nothing to wait for if it takes no time."""
        hand.allow(self.allowed)
        self.began.append(item)
        self.most = max(self.most, len(self.began) - len(self.ended) - len(self.late))
        if item:
            with trio.CancelScope(shield=self.stubborn):
                await trio.sleep(item)
        self.ended.append(item)


@asynccontextmanager
async def working(count: int = 3, allowed: float = inf) -> AsyncIterator[Works]:
    """Run hands beside the block, and stop them after it."""
    works = Works(count, allowed)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(works.hands.run)
        await trio.testing.wait_all_tasks_blocked()
        yield works
        nursery.cancel_scope.cancel()


async def test_items_are_begun_in_order(autojump_clock: trio.testing.MockClock) -> None:
    """What was given first is begun first, however long each takes."""
    async with working() as works:
        items = [0, 3, 0, 1, 0, 2, 0, 0]
        works.hands.give(items)
        await until(lambda: len(works.ended) == len(items), within=20)

    assert works.began == items


async def test_no_more_at_once_than_hands(autojump_clock: trio.testing.MockClock) -> None:
    """As many items as there are hands are worked on together, and no more."""
    async with working(3) as works:
        began = trio.current_time()
        works.hands.give([1.0] * 9)
        await until(lambda: len(works.ended) == 9, within=20)
        assert trio.current_time() - began == pytest.approx(3.0, abs=0.1)

    assert works.most == 3


async def test_what_waits_holds_up_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """Behind an item that takes for ever the others are done at once, by other hands."""
    async with working(2) as works:
        works.hands.give([1e6, 0, 0, 0])
        await trio.testing.wait_all_tasks_blocked()
        assert works.ended == [0, 0, 0]


async def test_a_free_hand_is_found_again(autojump_clock: trio.testing.MockClock) -> None:
    """However the items come, alone or together, while hands rest or work, none is forgotten."""
    async with working(2) as works:
        for turn in range(50):
            works.hands.give([0.1] * (turn % 5))
            await trio.sleep(0.03 * (turn % 3))
        await until(lambda: len(works.ended) == 100, within=60)


async def test_late_work_is_cut_short(autojump_clock: trio.testing.MockClock) -> None:
    """What takes longer than allowed is cancelled and reported late; the hand goes on with the next."""
    async with working(1, allowed=5.0) as works:
        began = trio.current_time()
        works.hands.give([100.0, 1.0])
        await until(lambda: works.late == [100.0], within=10)
        assert trio.current_time() - began == pytest.approx(5.0, abs=0.02)
        await until(lambda: works.ended == [1.0])


async def test_slow_work_is_noticed_once(autojump_clock: trio.testing.MockClock) -> None:
    """Whatever takes longer than a moment is named while it goes on, and nothing that does not."""
    slow: list[tuple[float, float]] = []

    async def work(item: float, hand: Hand[float]) -> None:
        hand.allow(60.0)
        await trio.sleep(item)

    began = trio.current_time()
    hands = Hands(
        4,
        work,
        lambda item: None,
        slow=lambda item: slow.append((item, trio.current_time() - began)),
        moment=0.05,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hands.run)
        hands.give([0.0, 0.04, 5.0, 0.01, 7.0])
        await trio.sleep(10)
        hands.end()

    assert sorted(item for item, _ in slow) == [5.0, 7.0]
    assert all(at == pytest.approx(0.05, abs=0.05) for _, at in slow)


async def test_work_that_ended_late_is_not_late(autojump_clock: trio.testing.MockClock) -> None:
    """A cancel that came when the work would not be stopped neither counts nor hits the next item."""
    async with working(1, allowed=5.0) as works:
        works.stubborn = True
        works.hands.give([10.0, 4.0])
        await until(lambda: works.ended == [10.0, 4.0], within=20)

    assert works.late == []


async def test_resting_is_never_late(autojump_clock: trio.testing.MockClock) -> None:
    """Time runs against work only."""
    async with working(1, allowed=1.0) as works:
        works.hands.give([0.5])
        await trio.sleep(100)
        works.hands.give([0.5])
        await until(lambda: works.ended == [0.5, 0.5])


async def test_end_lets_work_finish_and_begins_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """After the end what was begun is done, what was not is given back, and then nobody is there any more."""
    works = Works(2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(works.hands.run)
        works.hands.give([1.0, 2.0, 3.0])
        await until(lambda: len(works.began) == 2)
        assert works.hands.end() == [3.0]

    assert works.ended == [1.0, 2.0]
    assert works.began == [1.0, 2.0]


async def test_cancelled_work_is_not_late(autojump_clock: trio.testing.MockClock) -> None:
    """When all hands are cancelled from outside, nobody hears of the items in hand."""
    async with working(2, allowed=50.0) as works:
        works.hands.give([10.0, 10.0])
        await until(lambda: len(works.began) == 2)

    assert (works.ended, works.late) == ([], [])


async def test_errors_are_the_caller_s(autojump_clock: trio.testing.MockClock) -> None:
    """What the work raises ends all hands: they contain nothing."""

    async def fail(item: int, hand: Hand[int]) -> None:
        raise ValueError(item)

    hands = Hands(2, fail, print)
    hands.give([7])
    with pytest.RaisesGroup(pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="7"))):
        await hands.run()
