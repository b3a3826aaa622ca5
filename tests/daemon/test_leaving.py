"""How long leaving takes at most, and that nothing is ended before its time; whole processes leave in `tests/whole`."""

from __future__ import annotations

from typing import NoReturn

import pytest
import trio
import trio.testing

from hachat.bot import worker
from hachat.chat import adapter
from hachat.cluster.elector import longest_release
from hachat.cluster.handover import longest_resign
from hachat.core.settings import LeaseSettings, Settings, WorkerSettings
from hachat.daemon.leaving import LET_GO, limited, longest_leave, longest_work
from hachat.store import client


class Overdue(Exception):
    """Raised where the process would end."""


async def end() -> NoReturn:
    """Stand for the end of the process."""
    raise Overdue


def test_workers_get_their_grace_and_their_goodbyes() -> None:
    """What runs may finish, what has finished is committed, and what has not is handed back."""
    long, longer = (Settings(worker=WorkerSettings(grace=grace)) for grace in (25.0, 60.0))

    assert longest_work(long) >= 25.0 + 2 * worker.GOODBYE
    assert longest_work(longer) - longest_work(long) == pytest.approx(35.0)
    assert longest_leave(longer) - longest_leave(long) == pytest.approx(35.0)


def test_a_term_gets_its_time_too() -> None:
    """However short the grace of the handlers, a master may need its whole lease to report what it has sent."""
    hasty = WorkerSettings(grace=0.0)
    short, long = (Settings(worker=hasty, lease=LeaseSettings(ttl=ttl)) for ttl in (5.0, 7.0))

    assert longest_work(short) > short.lease.ttl
    assert longest_work(long) - longest_work(short) == pytest.approx(2.0)


@pytest.mark.parametrize("op_timeout", [0.1, 0.4])
def test_looking_for_a_successor_is_reckoned_with(op_timeout: float) -> None:
    """Only then does the term end, and it may have been renewed for a whole ttl meanwhile."""
    lease = LeaseSettings(op_timeout=op_timeout)
    timing = lease.timing
    told = (
        2 * op_timeout
    )  # the others that this node leaves, and this node whether elections are paused
    ended = told + longest_resign(timing) + timing.ttl

    limit = longest_work(Settings(worker=WorkerSettings(grace=0.0), lease=lease))

    assert limit >= ended + longest_release(timing) + 2 * adapter.GOODBYE


@pytest.mark.parametrize("grace", [0.0, 6.0, 25.0, 600.0])
def test_leaving_is_over_when_it_is_promised_to_be(grace: float) -> None:
    """As `docs/guarantees.md` says, and whoever sets `TimeoutStopSec` goes by."""
    settings = Settings(worker=WorkerSettings(grace=grace))
    assert longest_leave(settings) <= max(grace + 19.0, 26.0)


def test_a_blocked_read_is_left_behind_as_fast_as_is_reckoned() -> None:
    """The one number that is written twice is the same."""
    assert client._LET_GO == LET_GO


async def test_a_block_that_runs_too_long_is_overdue(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It is measured from when it is told to stop, and not from its beginning."""
    stop = trio.Event()
    began = trio.current_time()

    with pytest.RaisesGroup(Overdue):
        async with limited(stop, 5.0, end):
            await trio.sleep(100.0)
            stop.set()
            await trio.sleep_forever()

    assert trio.current_time() - began == pytest.approx(105.0)


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_block_that_ends_in_time_is_not(
    autojump_clock: trio.testing.MockClock, *, stopped: bool
) -> None:
    """Nor is one that nobody told to stop."""
    stop = trio.Event()
    async with limited(stop, 5.0, end):
        if stopped:
            stop.set()
        await trio.sleep(4.0 if stopped else 100.0)
