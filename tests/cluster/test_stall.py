"""What blocks the loop is named, by a thread, while it does."""

from __future__ import annotations

import threading
import time

import trio
from structlog.testing import capture_logs

from hachat.cluster.stall import LONG, PLACES, Stall
from tests.waiting import until


class Time:
    """A clock, and when the loop turned last by it."""

    def __init__(self) -> None:
        self.now = self.turned = 100.0


def descend(depth: int, stall: Stall) -> None:
    """Look from deep within a stack."""
    if depth:
        descend(depth - 1, stall)
    else:
        stall.look(threading.get_ident())


def test_each_time_is_told_of_once() -> None:
    """When it has been long enough, and again after the loop has turned."""
    clock = Time()
    stall = Stall(lambda: clock.turned, clock=lambda: clock.now)
    with capture_logs() as logs:
        for now, turned in ((100.9, 100), (101, 100), (109, 100), (110, 109.9), (111, 109.9)):
            clock.now, clock.turned = now, turned
            stall.look(threading.get_ident())
    assert [line["seconds"] for line in logs] == [1.0, 1.1]
    assert __name__ in logs[0]["stack"][1]


def test_a_deep_stack_is_told_of_by_both_its_ends() -> None:
    """However deep it is."""
    with capture_logs() as logs:
        descend(100, Stall(lambda: 0.0, clock=lambda: LONG))
    (line,) = logs
    assert len(line["stack"]) == PLACES + 1
    assert "Stall.look" in line["stack"][0]
    assert line["stack"][PLACES // 2] == "..."


async def test_a_thread_sees_what_blocks_the_loop() -> None:
    """The function is named that does."""
    turned = [time.monotonic()]
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            await nursery.start(Stall(lambda: turned[0]).run)
            give_up = time.monotonic() + 30.0
            while not logs and time.monotonic() < give_up:
                time.sleep(0.01)  # noqa: ASYNC251 - it blocks, as it should not
            nursery.cancel_scope.cancel()
    (line,) = logs
    assert any("test_a_thread_sees_what_blocks_the_loop" in place for place in line["stack"])
    await until(lambda: not any(one.name == "stall" for one in threading.enumerate()))
