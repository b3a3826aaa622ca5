"""Schedules with daemons as they run in production."""

from __future__ import annotations

import signal
from pathlib import Path

from hachat.store.embedded import Server
from tests.waiting import until_sync
from tests.whole.test_daemon import Process, run_daemon, settings_for

HANDLER = """
from hachat import Handler, every


class Clock(Handler):
    @every("1s", missed="all")
    async def tick(self, ctx):
        ctx.log.info("tick", slot=ctx.job.at)
"""


def ticks(*daemons: Process) -> list[float]:
    """Return the slots that daemons have run, in order."""
    return sorted(line["slot"] for daemon in daemons for line in daemon.lines("tick"))


def test_a_schedule_goes_on_when_a_node_dies(server: Server, tmp_path: Path) -> None:
    """Two nodes run each slot once between them, and after one was killed the other runs all of them.

    The slot that it was killed with may be run twice, if its end was not committed.
    """
    first, second = tmp_path / "first", tmp_path / "second"
    settings = settings_for(server.url)
    for folder in (first, second):
        (folder / "handlers").mkdir(parents=True)
        (folder / "handlers" / "clock.py").write_text(HANDLER)
    with (
        run_daemon(first, settings) as n1,
        run_daemon(second, settings.replace('"n1"', '"n2"')) as n2,
    ):
        n1.wait_for("ready")
        n2.wait_for("ready")
        until_sync(lambda: len(ticks(n1, n2)) >= 3, 15.0)
        n1.signal(signal.SIGKILL)
        n1.process.wait()
        killed = ticks(n1, n2)[-1]
        until_sync(lambda: [slot for slot in ticks(n2) if slot > killed + 2], 30.0)
        slots = ticks(n1, n2)

    assert len(slots) - len(set(slots)) <= 1
    assert sorted(set(slots)) == [slots[0] + number for number in range(len(set(slots)))]
