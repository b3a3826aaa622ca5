"""The outbound queue: one outbox for each room, and a clock that says which room may send when.

Only the master drains it, and every call carries the lease's token: what a deposed master still asks for is refused.
A turn records the intent to send before anything is sent, so that a successor can tell which heads are in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from math import ceil
from typing import Any, Literal

import msgspec
import structlog

from hachat.core.errors import Fenced
from hachat.core.messages import Answer, Reply
from hachat.core.settings import QueueSettings
from hachat.core.wire import encode
from hachat.store.commits import mark
from hachat.store.keys import Keys
from hachat.store.link import Link, Reader
from hachat.store.scripts import load
from hachat.store.translation import refusal

log = structlog.get_logger(__name__)

_TURN, _INHERIT = map(load, ("outbound_turn", "inherit"))

HOLD = 30.0
"""Seconds after which a taken room is looked at again if nothing was heard of it."""

ANSWER_LIFE = 60.0
"""Seconds the answers to a node's calls are kept; whoever waits reads them at once."""

ANSWERS = 1000
"""Answers of a node that are kept, about."""

Outcome = Literal["sent", "defer", "doubt", "dead"]
"""What became of a send: done, not now, nobody knows, never."""


class Due(msgspec.Struct, frozen=True):
    """The head of a room that may send; `in_doubt` when an earlier attempt may have succeeded."""

    room: str
    id: str
    data: bytes
    in_doubt: bool = False


class Report(msgspec.Struct, frozen=True):
    """What became of a head; the room may send again `after` seconds, `reason` is for the dead letters.

    With a head that leaves its outbox goes `note`, another reply, or `answer`, where the head was a call.
    """

    due: Due
    outcome: Outcome = "sent"
    after: float = 0.0
    reason: str = ""
    note: Reply | None = None
    answer: Answer | None = None


class Outbound:
    """The outbound queue in the name of one term; `token` is the lease's, `limits` tells how much may wait now."""

    def __init__(
        self,
        link: Link,
        keys: Keys,
        token: str,
        limits: Callable[[], QueueSettings] = QueueSettings,
    ) -> None:
        self._link = link
        self._keys = keys
        self._token = token
        self._limits = limits
        self._turns = 0

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

    async def turn(self, reports: Sequence[Report], most: int) -> tuple[list[Due], float]:
        """Report what became of heads, and take at most `most` others, one of each room that is due.

        Returns:
            The heads that were taken, and the seconds until the next room is due.

        Raises:
            Fenced: the lease is no longer ours; only sends that nobody doubts yet were reported.
            StoreError: Redis did not answer.  Reporting again is safe; `inherit` finds what may have been taken.
        """
        self._turns += 1
        arguments: list[str | bytes | int] = [self._token, most, int(HOLD * 1000)]
        arguments += (self._keys.outbox(""), self._limits().outbox)
        arguments += (int(ANSWER_LIFE * 1000), ANSWERS, self._turns, len(reports))
        for report in reports:
            after = ceil(report.after * 1000)  # a moment too early would be in vain
            arguments += (report.due.room, report.due.id, report.outcome, after, report.reason)
        for report in reports:
            if report.note or report.answer:
                arguments += (report.due.id, *self._describe(report.note, report.answer))
        names = ("outready", "intent", "counters", "dead", "trail", "deferred", "turn")
        wait, *fields = self._checked(
            await self._link.script(_TURN, self._fenced(*names), arguments)
        )
        return list(_read_heads(fields)), wait / 1000 if wait >= 0 else HOLD

    async def wait(self, reader: Reader, longest: float) -> None:
        """Return when some room may be due earlier than it was, after `longest` seconds at the latest."""
        await reader.read("BLPOP", self._keys.of("bell"), max(0.001, longest))

    def _describe(self, note: Reply | None, answer: Answer | None) -> Iterator[str | bytes]:
        """Yield what goes with a report: the room of a note, the key of an answer, the envelope."""
        yield note.room if note else ""
        yield self._keys.answers(answer.to) if answer else ""
        if note:
            yield mark(note)
        elif answer:
            yield encode(answer)

    def _fenced(self, *names: str) -> list[str]:
        return [self._keys.of(name) for name in ("lease", *names)]

    @staticmethod
    def _checked(answer: Any) -> Any:
        if answer == b"FENCED":
            raise Fenced("the lease is no longer ours")
        return answer


def _read_heads(fields: Sequence[bytes]) -> Iterator[Due]:
    for room, head, in_doubt in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        if error := refusal(head):
            log.error("cannot read a room's outbox", room=room.decode(), error=str(error))
            continue
        id_, _, data = head.partition(b"|")
        yield Due(room.decode(), id_.decode("utf-8", "replace"), data, in_doubt == b"1")
