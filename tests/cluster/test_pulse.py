"""The loop's pulse, and what systemd is told of it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from hachat.cluster.pulse import TICK, Notifier, Pulse


class Manager:
    """A service manager that notes what it is told."""

    def __init__(self, address: str) -> None:
        self.environ = {"NOTIFY_SOCKET": address.replace("\0", "@")}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)

    def told(self) -> list[str]:
        """Return and forget what came so far."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096, socket.MSG_DONTWAIT).decode())
            except BlockingIOError:
                return messages

    async def wait_told(self) -> str:
        """Return the next message."""
        with trio.fail_after(5):
            await trio.lowlevel.wait_readable(self._socket)
        return self._socket.recv(4096).decode()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """A manager with each kind of address."""
    address = (
        str(tmp_path / "notify") if request.param == "path" else f"\0hachat-test-{os.getpid()}"
    )
    running = Manager(address)
    yield running
    running.close()


def test_manager_is_told_each_thing_in_its_words(manager: Manager) -> None:
    """One datagram each, as sd_notify(3) spells them; a status is one line whatever it holds."""
    notifier = Notifier(manager.environ)

    notifier.ready()
    notifier.status("master,\n epoch 7")
    notifier.stopping()
    notifier.feed()

    assert manager.told() == ["READY=1", "STATUS=master, epoch 7", "STOPPING=1", "WATCHDOG=1"]


def test_reload_is_told_with_the_time_it_began(manager: Manager) -> None:
    """The manager compares that instant with its own clock, microseconds of CLOCK_MONOTONIC."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

    Notifier(manager.environ).reloading()

    [message] = manager.told()
    first, second = message.split("\n")
    assert first == "RELOADING=1"
    assert second.startswith("MONOTONIC_USEC=")
    assert (
        before
        <= int(second.partition("=")[2])
        <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    )


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_a_manager_nothing_is_said(environ: dict[str, str]) -> None:
    """Started by hand, or under a manager we cannot reach, the process is simply silent."""
    notifier = Notifier({**environ, "WATCHDOG_USEC": "1000000"})

    with capture_logs() as logs:
        notifier.ready()

    assert logs == []
    assert notifier.watchdog is None


def test_manager_that_went_away_is_survived(manager: Manager) -> None:
    """A message that cannot be delivered is logged, and the next is tried all the same."""
    notifier = Notifier(manager.environ)
    manager.close()

    with capture_logs() as logs:
        notifier.status("standby")

    assert [entry["log_level"] for entry in logs] == ["warning"]


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_watchdog_is_fed_only_where_it_waits_for_us(
    variables: dict[str, str], seconds: float | None
) -> None:
    """`WATCHDOG_USEC` says how often, `WATCHDOG_PID` whom it is meant for."""
    notifier = Notifier({"NOTIFY_SOCKET": "/nowhere", **variables})

    assert notifier.watchdog == seconds


async def test_watchdog_is_fed_by_the_turning_loop(manager: Manager, nursery: trio.Nursery) -> None:
    """The first feed comes at once, the next ones within half of what the watchdog waits."""
    pulse = Pulse(Notifier({**manager.environ, "WATCHDOG_USEC": "200000"}))
    began_at = trio.current_time()

    await nursery.start(pulse.run)
    messages = [await manager.wait_told() for _ in range(4)]

    assert messages == ["WATCHDOG=1"] * 4
    assert trio.current_time() - began_at >= 0.3


async def test_blocked_loop_starves_the_watchdog(manager: Manager, nursery: trio.Nursery) -> None:
    """What does not come from the loop would hide that the loop is blocked."""
    pulse = Pulse(Notifier({**manager.environ, "WATCHDOG_USEC": "100000"}))
    await nursery.start(pulse.run)
    await manager.wait_told()

    manager.told()
    time.sleep(0.3)  # noqa: ASYNC251  # blocking the loop is the point

    assert manager.told() == []


async def test_tick_tells_when_the_loop_last_turned(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    """`ticked_at` follows the clock, one tick behind at most."""
    pulse = Pulse(Notifier({}), clock=trio.current_time)
    await nursery.start(pulse.run)

    await trio.sleep(10)

    assert trio.current_time() - pulse.ticked_at <= TICK
    assert pulse.lag < TICK


async def test_late_loop_shows_as_lag_that_fades(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """A loop that came late says by how much, and forgets it in time."""
    pulse = Pulse(Notifier({}))
    await nursery.start(pulse.run)
    await trio.sleep(TICK / 2)

    autojump_clock.jump(2.0)
    await trio.sleep(TICK / 2)
    worst = pulse.lag
    await trio.sleep(10)

    assert worst == pytest.approx(2.0 - TICK / 2)
    assert pulse.lag < 0.05
