"""The master looks after dead letters: warnings, cuts, and the log of what people did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
import structlog
import trio
import trio.testing

from hachat.core.errors import StoreUnavailable
from hachat.core.settings import QueueSettings
from hachat.daemon.letters import EVERY, LetterKeeper
from hachat.store.audit import Audit, Deed
from hachat.store.dead import DeadLetters

BECOMING_MANY = "dead letters become many; beyond the limit the oldest are cut"
CUT = "dead letters were cut, the oldest first"


class FakeLetters:
    """So many letters, of which ten are kept."""

    def __init__(self, count: int = 0) -> None:
        self.limits = QueueSettings(dead=10)
        self.number = count
        self.deeds: list[Deed] = []
        self.away = False

    async def count(self) -> int:
        """As the test says."""
        if self.away:
            raise StoreUnavailable("away")
        return self.number

    async def trim(self) -> int:
        """Cut what is too much."""
        cut = max(0, self.number - self.limits.dead)
        self.number -= cut
        return cut

    async def read_new(self) -> Sequence[Deed]:
        """Return two at a time."""
        return self.deeds[:2]

    async def mark_logged(self, last: Deed) -> None:
        """Go on behind this one."""
        self.deeds = self.deeds[self.deeds.index(last) + 1 :]


def keep(letters: FakeLetters) -> LetterKeeper:
    """Return the keeper of these letters."""
    return LetterKeeper(cast("DeadLetters", letters), cast("Audit", letters))


async def look(keeper: LetterKeeper, times: int = 1) -> list[tuple[str, Any]]:
    """Let it look, and return what it logged."""
    with structlog.testing.capture_logs() as logs:
        for _ in range(times):
            await keeper.look()
    return [(line["event"], line.get("cut", line.get("count"))) for line in logs]


async def test_few_letters_are_no_matter() -> None:
    """Below 80 % of the limit nothing is said."""
    assert await look(keep(FakeLetters(7)), 5) == []


async def test_many_letters_are_warned_of_once() -> None:
    """From 80 % on there is one warning, and another when they were fewer meanwhile."""
    letters = FakeLetters(8)
    keeper = keep(letters)

    assert await look(keeper, 5) == [(BECOMING_MANY, 8)]
    letters.number = 7
    assert await look(keeper) == []
    letters.number = 9
    assert await look(keeper, 2) == [(BECOMING_MANY, 9)]


async def test_a_warning_is_repeated_each_hour() -> None:
    """Who missed it hears of it again."""
    assert len(await look(keep(FakeLetters(9)), int(3600 / EVERY) + 1)) == 2


@pytest.mark.parametrize("before", [7, 9])
async def test_nothing_is_cut_before_it_was_warned_of(before: int) -> None:
    """The first look that finds too many warns, the next one cuts and says how many."""
    letters = FakeLetters(before)
    keeper = keep(letters)
    await look(keeper)
    letters.number = 15

    assert await look(keeper) == [(BECOMING_MANY, 15)]
    assert letters.number == 15
    assert await look(keeper) == [(CUT, 5)]
    assert letters.number == 10


async def test_each_cut_is_logged() -> None:
    """However long a flood lasts, the log has every number."""
    letters = FakeLetters(12)
    keeper = keep(letters)
    await look(keeper, 2)
    letters.number = 13
    assert await look(keeper) == [(CUT, 3)]
    assert await look(keeper, 3) == []


async def test_what_people_did_is_logged_once() -> None:
    """Each deed becomes one line with its facts, and never another; strange fields are left out."""
    letters = FakeLetters()
    facts = {"did": "retried", "by": "ada", "letter": "1-0", "kind": "message", "id": "m1"}
    letters.deeds = [Deed(f"{number}-0", 1.5, {**facts, "event": "x"}) for number in range(5)]

    with structlog.testing.capture_logs() as logs:
        await keep(letters).look()
        await keep(letters).look()

    assert (
        logs
        == [
            {
                "event": "audit",
                "log_level": "info",
                **facts,
                "at": 1.5,
            }
        ]
        * 5
    )
    assert letters.deeds == []


async def test_it_goes_on_without_redis(autojump_clock: trio.testing.MockClock) -> None:
    """A Redis that is away delays the next look, and nothing else."""
    letters = FakeLetters(9)
    letters.away = True
    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep(letters).run)
            await trio.sleep(2.5 * EVERY)
            assert [line for line in logs if line["log_level"] == "warning"] == []
            letters.away = False
            await trio.sleep(EVERY)
            nursery.cancel_scope.cancel()

    assert [line["event"] for line in logs if line["log_level"] == "warning"] == [BECOMING_MANY]
