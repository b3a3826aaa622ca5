"""The highest epoch this node knows of, in a file that outlives the process and the machine's restart.

A Redis that was wiped, and whose clock was set back, would begin again with epochs that were there before.  An elector that
knows the floor takes none of them, and waits until whoever was master there must have ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
import trio

log = structlog.get_logger(__name__)

NAME = "floor"
"""The file's name in the service's state directory."""

SUSPICION = 1
"""The floor of a node that knows of no epoch, and that there may have been some."""

_LIMIT = 1.0
"""Longest time in seconds that a disk may hold up a term."""

_LOOK = 1.0
"""Seconds until an epoch that was heard of is kept."""


class _Floor(msgspec.Struct, frozen=True):
    """What the file holds; Redis's numbers are exact up to 2^53."""

    epoch: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


def locate(environ: Mapping[str, str]) -> Path | None:
    """Return where the file belongs, or None outside of a service with a state directory."""
    directory = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(directory) / NAME if directory else None


def read(path: Path) -> int:
    """Return the epoch the file holds, 0 if there is none.

    Raises:
        OSError: it cannot be read.
        ValueError: it is something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Floor).epoch
    except FileNotFoundError:
        return 0


def write(path: Path, epoch: int) -> None:
    """Replace the file, whole; it is on the disk when this returns.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.encode(_Floor(epoch)))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class FloorKeeper:
    """Keeps the file at `path` true; without one, or where it cannot be written, the node goes on without it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept = 0
        self._trouble = ""
        # One at a time, those that nobody waits for any more included.
        self._disk = trio.CapacityLimiter(1)

    async def read(self) -> int:
        """Return the highest epoch that earlier processes knew of; `SUSPICION` if the file does not tell."""
        if self._path is None:
            log.debug("keeps no epoch: $STATE_DIRECTORY, which systemd sets, is not set")
            return 0
        try:
            with trio.fail_after(_LIMIT):
                self._kept = await trio.to_thread.run_sync(
                    read, self._path, abandon_on_cancel=True, limiter=self._disk
                )
        except (OSError, ValueError, trio.TooSlowError) as error:
            log.warning(
                "cannot read the highest epoch of earlier terms; as a candidate this node waits until they must have ended",
                file=str(self._path),
                error=_explain(error),
            )
            return SUSPICION
        return self._kept

    async def keep(self, epoch: int) -> None:
        """Have `epoch` in the file, if it is the highest so far; a disk that is silent for a second is left alone."""
        if self._path is None or epoch <= self._kept:
            return
        try:
            with trio.fail_after(_LIMIT):
                await trio.to_thread.run_sync(
                    write, self._path, epoch, abandon_on_cancel=True, limiter=self._disk
                )
        except (OSError, trio.TooSlowError) as error:
            self._complain(_explain(error))
        else:
            self._kept, self._trouble = epoch, ""

    async def follow(
        self,
        known: Callable[[], int],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keep for ever what `known` returns."""
        task_status.started()
        while self._path is not None:
            await self.keep(known())
            await trio.sleep(_LOOK)

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning(
                "cannot keep the highest epoch; a Redis that is wiped, with a clock that was set back, could repeat it",
                file=str(self._path),
                error=trouble,
            )
        self._trouble = trouble


def _explain(error: Exception) -> str:
    return str(error) or f"the disk has not answered within {_LIMIT:g} s"
