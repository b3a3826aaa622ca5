"""When admins are told something, and when not."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import cast

import trio
from trio.testing import MockClock

from hachat.core.errors import StoreUnavailable
from hachat.daemon.notices import EVERY, LONGEST, QUIET, NoticeKeeper
from hachat.store.notices import Notices


class FakeNotices:
    """How far subjects were told, and each line with the second in which it was said."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}
        self.lines: list[tuple[float, str]] = []
        self.away = False
        self.full = False

    async def read(self) -> Mapping[str, str]:
        """Return how far."""
        if self.away:
            raise StoreUnavailable("away")
        return self.told

    async def tell(self, subject: str, told: str, now: str, text: str = "") -> bool:
        """Say something, unless there is no room."""
        if self.full or self.told.get(subject, "") != told:
            return False
        self.told = {**self.told, subject: now}
        if text:
            self.lines.append((trio.current_time(), text))
        return True


class Failures:
    """A subject that counts."""

    def __init__(self) -> None:
        self.count = 0

    async def look(self, told: str) -> tuple[str, str]:
        """Tell how many more there are than were told."""
        more = self.count - int(told or "0")
        return str(self.count), f"{more} more" if more else ""


def keep(notices: FakeNotices, **subjects: Failures) -> NoticeKeeper:
    """Return the keeper of these subjects."""
    looks = {name: subject.look for name, subject in subjects.items()}
    return NoticeKeeper(cast("Notices", notices), looks)


async def test_a_storm_is_a_few_lines(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """A thousand failures in ten minutes are told in lines that come further and further apart, and none is left out."""
    notices, failures = FakeNotices(), Failures()
    nursery.start_soon(keep(notices, dead=failures).run)
    for _ in range(1000):
        failures.count += 1
        await trio.sleep(0.6)
    await trio.sleep(LONGEST)

    times = [when for when, _ in notices.lines]
    assert sum(int(line.split()[0]) for _, line in notices.lines) == 1000
    assert 3 <= len(times) <= 6
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == sorted(gaps)
    assert min(gaps) >= QUIET


async def test_what_comes_now_and_then_is_told_at_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """After a long silence nobody waits for more than a look."""
    notices, failures = FakeNotices(), Failures()
    nursery.start_soon(keep(notices, dead=failures).run)
    for _ in range(3):
        failures.count += 1
        began = trio.current_time()
        await trio.sleep(2 * LONGEST)
        assert notices.lines[-1][0] <= began + EVERY

    assert [line for _, line in notices.lines] == ["1 more"] * 3


async def test_subjects_do_not_wait_for_one_another() -> None:
    """One that is silent for a while holds up no other."""
    notices, one, other = FakeNotices(), Failures(), Failures()
    keeper = keep(notices, one=one, other=other)
    one.count = 1
    await keeper.look()
    one.count, other.count = 2, 7
    await keeper.look()

    assert [line for _, line in notices.lines] == ["1 more", "7 more"]


async def test_the_next_master_goes_on(autojump_clock: MockClock) -> None:
    """What the last one has told is not told again, and what it had not is."""
    notices, failures = FakeNotices(), Failures()
    failures.count = 1
    await keep(notices, dead=failures).look()
    failures.count = 3
    await keep(notices, dead=failures).look()

    assert [line for _, line in notices.lines] == ["1 more", "2 more"]


async def test_what_could_not_be_said_is_said_later() -> None:
    """And does not count as said."""
    notices, failures = FakeNotices(), Failures()
    keeper = keep(notices, dead=failures)
    failures.count, notices.full = 1, True
    await keeper.look()
    failures.count, notices.full = 2, False
    await keeper.look()

    assert [line for _, line in notices.lines] == ["2 more"]


async def test_it_goes_on_without_redis(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """A look that fails is not the last one."""
    notices, failures = FakeNotices(), Failures()
    notices.away, failures.count = True, 1
    nursery.start_soon(keep(notices, dead=failures).run)
    await trio.sleep(3 * EVERY)
    notices.away = False
    await trio.sleep(2 * EVERY)

    assert [line for _, line in notices.lines] == ["1 more"]
