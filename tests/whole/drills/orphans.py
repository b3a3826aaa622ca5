"""What nodes and masters that are no more still hold after a drill."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from hachat.core.errors import StoreError
from hachat.store.keys import GROUP, LANES
from hachat.store.members import Member
from tests.waiting import until
from tests.whole.drills.lab import Lab

_TAKEN_OVER = 13.0
"""Seconds after which nothing may be held any more by who is no more."""


async def find_orphans(lab: Lab) -> list[str]:
    """Return what nodes and masters that are no more still hold, once others have had the time to take it over."""
    found: list[str] = []

    async def none_is_left() -> bool:
        nonlocal found
        try:
            found = await _look_for_orphans(lab)
        except StoreError as error:
            found = [f"cannot be looked at: {error}"]
        return not found

    with suppress(AssertionError):
        await until(none_is_left, _TAKEN_OVER)
    return found


async def _look_for_orphans(lab: Lab) -> list[str]:
    said = await lab.link.command("HGETALL", lab.keys.of("members"))
    members = [msgspec.json.decode(data, type=Member) for data in said[1::2]]
    pids = {daemon.process.pid for daemon in lab.daemons.values()}
    living = {member.consumer for member in members if member.pid in pids}
    holders: set[str] = set()
    for lane in LANES:
        _, _, _, held = await lab.link.command("XPENDING", lab.keys.ready(lane), GROUP)
        holders |= {consumer.decode() for consumer, _ in held or ()}
    lease = await lab.link.command("GET", lab.keys.of("lease"))
    intents = await lab.link.command("HGETALL", lab.keys.of("intent"))
    rooms = [
        room.decode()
        for room, token in zip(intents[::2], intents[1::2], strict=True)
        if token not in {lease, b"doubt"}
    ]
    return [
        *(f"{holder} is no more and holds a conversation" for holder in holders - living),
        *(f"a master that is no more may still be sending in {room}" for room in rooms),
    ]
