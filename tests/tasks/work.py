"""What processes are asked to do in tests."""

from __future__ import annotations

import os
import re
import signal
import sys
import time


def add(*numbers: int) -> int:
    """Add."""
    return sum(numbers)


def tell_pid() -> int:
    """Tell which process this is."""
    print("this is no answer")
    return os.getpid()


def fail() -> None:
    """Raise an error."""
    raise ValueError("no luck")


def leave() -> None:
    """Try to end the process politely."""
    sys.exit(3)


def die() -> None:
    """Be killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def spin(file: str) -> None:
    """Note which process this is, and compute for a minute."""
    _note(file)
    end = time.monotonic() + 60.0
    while time.monotonic() < end:
        pass


def hold(file: str) -> None:
    """Note which process this is, and compute so that no other thread of it gets a turn."""
    _note(file)
    re.match(r"(a+)+$", "a" * 60 + "b")


def _note(file: str) -> None:
    with open(f"{file}.new", "w", encoding="ascii") as sink:  # noqa: PTH123 - nothing more is loaded
        sink.write(str(os.getpid()))
    os.replace(f"{file}.new", file)  # noqa: PTH105 - nothing more is loaded
