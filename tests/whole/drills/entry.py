"""The way into a namespace of our own, where the machine lets us make one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

from tests.whole.drills.ground import Loopback, Namespaces

INSIDE = "HACHAT_DRILLS_INSIDE"
"""Set for a process that stands in a namespace of its own."""


@cache
def way_in() -> Sequence[str]:
    """Return the command that runs another in network namespaces of its own, or nothing if they cannot be made."""
    tool = ["unshare", "--net", *(["--map-root-user"] if os.getuid() else [])]
    probe = "ip link add hub type bridge && ip link add port1 type veth peer name port2"
    try:
        tried = subprocess.run([*tool, "sh", "-c", probe], capture_output=True, check=False)
    except OSError:
        return ()
    return () if tried.returncode else tool


def command(*arguments: str, module: str = "tests.whole.drills") -> list[str]:
    """Return the command that runs a module: in namespaces, or as it is where there are none."""
    way = way_in()
    inside = ["env", f"{INSIDE}=1"] if way else []
    return [*way, *inside, sys.executable, "-m", module, *arguments]


def choose_ground() -> Loopback:
    """Return where the servers stand: in namespaces if this process has come in by `enter`."""
    return Namespaces() if INSIDE in os.environ else Loopback()


def enter(module: str) -> None:
    """Become the same command in namespaces of its own, where they can be made."""
    if INSIDE not in os.environ and way_in():
        argv = command(*sys.argv[1:], module=module)
        os.execvp(argv[0], argv)
