"""What the admins of a cluster are told in a room of theirs, and how far.

For each subject the hash `noticed` holds how far it has been told.  To go on from there and to queue what is said are one
script, so that every master goes on where the last one was, and nothing is said twice.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial

from hachat.core.errors import StoreRefused
from hachat.core.ids import make_id
from hachat.core.messages import Reply
from hachat.core.settings import QueueSettings
from hachat.store.commits import mark
from hachat.store.keys import Keys
from hachat.store.letter import Letter
from hachat.store.link import Link
from hachat.store.retry import retry
from hachat.store.scripts import load

_NOTICE = load("notice")
_STEM = "notice/"


class Notices:
    """The notices of a cluster in `room`, an address; `limits` tells how much may wait in an outbox now."""

    def __init__(
        self, link: Link, keys: Keys, room: str, limits: Callable[[], QueueSettings]
    ) -> None:
        self._link = link
        self._keys = keys
        self._room = room
        self._limits = limits

    async def read(self) -> Mapping[str, str]:
        """Return how far each subject has been told.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        flat = await self._link.command("HGETALL", self._keys.of("noticed"))
        text = [value.decode("utf-8", "backslashreplace") for value in flat]
        return dict(zip(text[::2], text[1::2], strict=True))

    async def tell(self, subject: str, told: str, now: str, text: str = "") -> bool:
        """Note that a subject is told as far as `now`, and say `text` if there is any.

        Returns:
            False, with nothing done, if it is not `told` that far any more, or too much waits in the room.

        Raises:
            StoreRefused: Redis said no.
        """
        id_ = _STEM + make_id(time.time(), secrets.randbits(80))
        notice = mark(Reply(id_, self._room, text)) if text else b""
        of, most = self._keys.of, self._limits().outbox
        keys = (
            of("noticed"),
            self._keys.outbox(self._room),
            *map(of, ("outready", "counters", "bell")),
        )
        arguments = (subject, told, now, self._room, most, notice)
        answer = await retry(
            partial(self._link.script, _NOTICE, keys, arguments), unless=StoreRefused
        )
        return bool(answer == b"DONE")


def is_notice(letter: Letter) -> bool:
    """Tell whether a dead letter is itself a notice, of which none is to be made again."""
    return letter.kind == "reply" and letter.id.startswith(_STEM)
