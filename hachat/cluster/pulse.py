"""Is the loop turning?  Measures it, and tells systemd.

The service manager listens on the datagram socket named by `$NOTIFY_SOCKET` (sd_notify(3)).  The
watchdog is fed from the loop itself, so that a loop that is blocked starves it and is killed and
restarted.  Without that variable nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

import structlog
import trio

TICK = 0.25
"""Seconds between two looks at the loop."""

_FADE = 0.9
"""What is left of a measured lag one tick later: half of it after 1.6 s."""

log = structlog.get_logger(__name__)


class Notifier:
    """Says to the service manager what it wants to know, if there is one."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _read_address(environ)
        self.watchdog = _read_watchdog(environ) if self._address else None

    def ready(self) -> None:
        """Tell that start-up, or a reload, is finished."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Tell that the settings are being read again; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tell that the process is on its way out."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send("STATUS=" + " ".join(text.split()))

    def feed(self) -> None:
        """Tell the watchdog that we live."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        # A socket of its own for each: the manager may have started anew since the last.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            try:
                speaker.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, self._address)
            except OSError as error:
                log.warning("cannot tell systemd", message=lines[0], reason=str(error))


class Pulse:
    """Ticks with the loop, for the heartbeat thread and the watchdog.

    `ticked_at` is the monotonic time of the last tick.  `lag` is how many seconds late the loop
    lately came to its tasks: the worst of it, fading.
    """

    def __init__(self, notifier: Notifier, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._notifier = notifier
        self._clock = clock
        self.lag = 0.0
        self.ticked_at = clock()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tick and feed the watchdog until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tick)
            if self._notifier.watchdog is not None:
                nursery.start_soon(self._feed, self._notifier.watchdog / 2)
            task_status.started()

    async def _tick(self) -> None:
        while True:
            due = trio.current_time() + TICK
            await trio.sleep_until(due)
            self.lag = max(trio.current_time() - due, self.lag * _FADE)
            self.ticked_at = self._clock()

    async def _feed(self, every: float) -> None:
        while True:
            self._notifier.feed()
            await trio.sleep(every)


def _read_address(environ: Mapping[str, str]) -> str | None:
    address = environ.get("NOTIFY_SOCKET", "")
    if address.startswith("@"):
        return "\0" + address[1:]
    return address if address.startswith("/") else None


def _read_watchdog(environ: Mapping[str, str]) -> float | None:
    """Return the seconds the watchdog waits for us; nothing if it waits for someone else."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    usec = environ.get("WATCHDOG_USEC", "")
    return int(usec) / 1_000_000 if usec.isdecimal() and int(usec) > 0 else None
