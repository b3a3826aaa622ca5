"""How services name what was sent, on a real server."""

from __future__ import annotations

from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.sent import LIFE, Sent


async def test_a_name_is_known_for_a_day(link: Link, keys: Keys) -> None:
    """By the reply's id, then no longer; what was never noted has none."""
    sent = Sent(link, keys)
    await sent.note("m1/r/1", "1795497344.000200")

    assert await sent.find("m1/r/1") == "1795497344.000200"
    assert await sent.find("m1/r/2") == ""
    left = await link.command("PTTL", keys.sent("m1/r/1"))
    assert LIFE - 60 < left / 1000 <= LIFE
