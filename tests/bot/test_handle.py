"""Handles: what is said can be named later, too."""

from __future__ import annotations

import msgspec

from hachat.bot.handle import Handle


async def test_a_handle_can_be_kept_and_made_again() -> None:
    """Through JSON, for a timer or a memory: it is three texts."""
    handle = Handle("irc/#lab", "M1/r/1", "T1")

    assert msgspec.json.decode(msgspec.json.encode(handle), type=Handle) == handle
    assert await handle is handle
