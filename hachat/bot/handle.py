"""What the verbs of a handler give back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import trio


async def _end_if_cancelled() -> None:
    await trio.lowlevel.checkpoint_if_cancelled()


@dataclass(frozen=True, slots=True)
class Handle:
    """Something the bot says: the address of its `room`, the `id` by which it can be changed, and its `thread`.

    All are texts, so that a handle may be kept and made again.  Awaiting one gives it, and ends a handler that was cancelled.
    """

    room: str
    id: str
    thread: str = ""

    def __await__(self) -> Generator[Any, Any, Handle]:
        """Return the handle itself."""
        yield from _end_if_cancelled().__await__()
        return self


class _Recorded:
    """What has been recorded and cannot be changed; awaiting it ends a handler that was cancelled."""

    def __await__(self) -> Generator[Any, Any, None]:
        return _end_if_cancelled().__await__()


RECORDED = _Recorded()
