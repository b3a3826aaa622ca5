"""The outbound queue: one outbox for each room, and a clock that says which room may send when.

Only the master drains it, and every call carries the lease's token: what a deposed master still asks for is refused.
`take` records the intent to send before anything is sent, so that a successor can tell which heads are in doubt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hachat.core.errors import Fenced
from hachat.store.keys import Keys
from hachat.store.link import Link, Reader
from hachat.store.scripts import load

_TAKE, _DONE, _INHERIT = map(load, ("take", "done", "inherit"))

HOLD = 30.0
"""Seconds after which a taken room is looked at again if nothing was heard of it."""

Outcome = Literal["sent", "defer", "doubt", "dead"]
"""What became of a send: done, not now, nobody knows, never."""


@dataclass(frozen=True, slots=True)
class Due:
    """The head of a room that may send; `in_doubt` when an earlier attempt may have succeeded."""

    room: str
    id: str
    data: bytes
    in_doubt: bool = False


class Outbound:
    """The outbound queue in the name of one term; `token` is the lease's."""

    def __init__(self, link: Link, keys: Keys, token: str) -> None:
        self._link = link
        self._keys = keys
        self._token = token

    async def inherit(self, served: Collection[str] = ()) -> int:
        """Make the rooms due that were taken, by a predecessor or without our hearing of it; return how many.

        The rooms in `served` are left alone.

        Raises:
            Fenced: the lease is no longer ours.
        """
        answer = await self._link.script(
            _INHERIT, self._fenced("outready", "intent"), (self._token, *served)
        )
        return int(self._checked(answer))

    async def take(self, most: int) -> tuple[Sequence[Due], float]:
        """Return the heads of at most `most` rooms that are due, and the seconds until the next room is.

        Raises:
            Fenced: the lease is no longer ours.
        """
        arguments = (self._token, most, int(HOLD * 1000), self._keys.outbox(""))
        wait, *fields = self._checked(
            await self._link.script(_TAKE, self._fenced("outready", "intent"), arguments)
        )
        return list(_read_heads(fields)), wait / 1000 if wait >= 0 else HOLD

    async def done(
        self,
        due: Due,
        outcome: Outcome,
        *,
        after: float = 0.0,
        reason: str = "",
        more: bool = False,
    ) -> Due | None:
        """Report what became of a head; with `more`, return the room's next one if it may be sent now.

        Raises:
            Fenced: the lease is no longer ours.
        """
        answer = self._checked(
            await self._link.script(
                _DONE,
                (
                    self._keys.of("lease"),
                    self._keys.outbox(due.room),
                    *map(self._keys.of, ("outready", "intent", "counters", "dead", "bell")),
                ),
                (
                    self._token,
                    due.room,
                    due.id,
                    outcome,
                    int(after * 1000),
                    reason,
                    "1" if more else "0",
                    int(HOLD * 1000),
                ),
            )
        )
        return _read_head(due.room, answer[0]) if isinstance(answer, list) else None

    async def wait(self, reader: Reader, longest: float) -> None:
        """Return when some room may be due earlier than it was, after `longest` seconds at the latest."""
        await reader.read("BLPOP", self._keys.of("bell"), max(0.001, longest))

    def _fenced(self, *names: str) -> list[str]:
        return [self._keys.of(name) for name in ("lease", *names)]

    @staticmethod
    def _checked(answer: Any) -> Any:
        if answer == b"FENCED":
            raise Fenced("the lease is no longer ours")
        return answer


def _read_heads(fields: Sequence[bytes]) -> Iterator[Due]:
    for room, head, intent in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        yield _read_head(room.decode(), head, in_doubt=intent != b"")


def _read_head(room: str, head: bytes, *, in_doubt: bool = False) -> Due:
    mark, _, data = head.partition(b"|")
    return Due(room, mark.decode("utf-8", "replace"), data, in_doubt)
