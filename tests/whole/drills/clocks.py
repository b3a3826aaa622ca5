"""Wall clocks that are set while the program that reads them runs; its monotonic clocks go on as they are.

libfaketime does that too, but lets a process with several threads stand still for tenths of a second.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")


def lack_compiler() -> str:
    """Return why no clock can be set here; an empty text if one can."""
    return (
        ""
        if shutil.which("cc")
        else "there is no C compiler; on Debian: apt-get install gcc libc6-dev"
    )


@dataclass
class Clock:
    """The wall clock of whatever is run behind `command`; `file` says by how much it is wrong."""

    file: Path

    def __post_init__(self) -> None:
        self.put(0)
        compiler = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror"]
        subprocess.run([*compiler, "-o", str(self._library), str(_SOURCE)], check=True)

    def put(self, ahead: int) -> None:
        """Let the clock be `ahead` so many seconds from now on."""
        mode = "r+b" if self.file.exists() else "wb"
        with self.file.open(mode) as file:
            file.write(struct.pack("q", ahead))

    @property
    def command(self) -> Sequence[str]:
        """What to put before a command."""
        return ("env", f"LD_PRELOAD={self._library}", f"DRILL_CLOCK={self.file}")

    @property
    def _library(self) -> Path:
        return self.file.with_suffix(".so")
