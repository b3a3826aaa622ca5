"""The members that groups were given in chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from hachat.core.errors import GroupsFull
from hachat.core.phrases import Phrase
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import load

MOST = 2_000
"""Members that all groups together may have: every node reads them all."""

_CHANGE, _PUT = load("group_change"), load("field_put")

Key = tuple[str, str]
"""A group, and the address of a user, `<adapter>/<id>`."""


class Membership(msgspec.Struct, frozen=True):
    """When somebody was taken into a group, Unix seconds, and by whom."""

    at: float
    by: str


class Groups:
    """The groups of a cluster."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    async def read(self) -> Mapping[Key, Membership]:
        """Return all members of all groups.

        Raises:
            StoreError: Redis did not answer.
        """
        flat = await self._link.command("HGETALL", self._keys.of("groups"))
        texts = [field.decode("utf-8", "backslashreplace") for field in flat]
        return dict(map(_read, texts[::2], texts[1::2]))

    async def change(self, what: Literal["add", "remove"], group: str, user: str, by: str) -> bool:
        """Take a user into a group, or out of it; False if it was so already.  It may be done again.

        Raises:
            GroupsFull: there are too many members.
            StoreError: Redis did not answer, or said no.
        """
        names = (self._keys.of("groups"), self._keys.of("audit"))
        done = await self._link.script(_CHANGE, names, (what, group, user, by, MOST))
        return _is_done(done)

    async def put(self, key: Key, membership: Membership, there: Membership | None) -> bool:
        """Have a membership be so, if it is as it is `there` now; False if it is not.  It may be done again.

        Unlike `change` it is not noted in the audit trail: whoever restores many notes that once.

        Raises:
            GroupsFull, StoreError: as `change` does.
        """
        expected = _write(there) if there else ""
        names = (self._keys.of("groups"),)
        done = await self._link.script(
            _PUT, names, ("|".join(key), expected, _write(membership), MOST)
        )
        return _is_done(done)


def _is_done(answer: bytes) -> bool:
    if answer == b"FULL":
        raise GroupsFull(
            Phrase(
                "the groups have {most} members, which is the most; write some into [access.groups] of the settings",
                most=MOST,
            )
        )
    return answer == b"DONE"


def _write(membership: Membership) -> str:
    return f"{membership.at:.0f}|{membership.by}"


def _read(member: str, data: str) -> tuple[Key, Membership]:
    group, _, user = member.partition("|")
    at, _, by = data.partition("|")
    return (group, user), Membership(float(at), by)
