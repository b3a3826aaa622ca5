"""Where the bot is to be, on a real server."""

from __future__ import annotations

from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.rooms import Rooms


async def test_the_last_word_about_a_room_counts(link: Link, keys: Keys) -> None:
    """Joined with or without a key, or left; each adapter has rooms of its own."""
    rooms = Rooms(link, keys)
    for room, key in (("#ops", ""), ("#secret", "-"), ("#gone", "k")):
        await rooms.join("irc", room, key)
    await rooms.part("irc", "#gone")
    await rooms.part("work", "#ops")

    assert await rooms.read("irc") == {"#ops": "", "#secret": "-", "#gone": None}
    assert await rooms.read("work") == {"#ops": None}
    assert await rooms.read("elsewhere") == {}
