"""The nodes that live and what is ordered of them: as much as it takes to say who could be master."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hachat.store.control import Control, parse_control
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.members import MISSED, Member
from hachat.store.scripts import load

_PEERS = load("peers")


class Peers(msgspec.Struct, frozen=True):
    """The nodes that were heard of lately, by name, and what is ordered; `at` is Unix seconds by Redis's clock.

    Lately means: as lately as the others.  While Redis fails over nobody is heard, and nobody is dead for that.
    """

    at: float = 0.0
    living: Sequence[Member] = ()
    control: Control = Control()


async def read_peers(link: Link, keys: Keys) -> Peers:
    """Return who lives and what is ordered now.

    Raises:
        StoreError: Redis cannot be asked.
    """
    names = [keys.of("members"), keys.of("nodes"), keys.of("control")]
    now, members, nodes, control = await link.script(_PEERS, names, [])
    at, ends = now / 1000, _pair(nodes)
    heard = [
        (float(ends.get(consumer, 0)) / 1000 - member.life, member)
        for consumer, said in _pair(members).items()
        if (member := _read(said)) is not None
    ]
    newest = max((last for last, _ in heard), default=0.0)
    living = [
        member
        for last, member in heard
        if newest - last <= MISSED * member.beat and at - last < member.life
    ]
    orders = {name.decode("utf-8", "replace"): data for name, data in _pair(control).items()}
    return Peers(at, sorted(living, key=lambda member: member.node), parse_control(orders, at))


def _read(said: bytes) -> Member | None:
    try:
        return msgspec.json.decode(said, type=Member)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # written by a release this one cannot read


def _pair(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
