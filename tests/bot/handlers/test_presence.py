"""Coming into rooms, and leaving them."""

from __future__ import annotations

from hachat.bot.handlers.presence import Presence
from hachat.testing import Driver, handlers

pytestmark = handlers(Presence, groups={"admins": ["ada"]})


async def test_admins_send_it_into_rooms(bot: Driver) -> None:
    """Of the service on which they say so, with the key if there is one; it is said what was done."""
    ada = bot.in_room("irc/#ops").as_user("ada")
    said = await ada.say("hachat join #den sesame")
    assert {(one.op, one.room) for one in said} == {("join", "irc/#den"), ("say", "irc/#ops")}
    assert [one.args.get("key") for one in said if one.op == "join"] == ["sesame"]
    assert "I will be in #den from now on." in said
    (again, *_) = [one for one in await ada.say("hachat join irc/#den") if one.op == "join"]
    assert again.room == "irc/#den"


async def test_admins_send_it_away(bot: Driver) -> None:
    """Out of this room, or of another; it says so before it goes."""
    ada = bot.in_room("irc/#ops").as_user("ada")
    said = await ada.say("hachat part")
    assert [(one.op, one.room) for one in said] == [("say", "irc/#ops"), ("part", "irc/#ops")]
    assert ("part", "irc/#den") in {(one.op, one.room) for one in await ada.say("hachat part #den")}


async def test_others_do_not(bot: Driver) -> None:
    """They are told."""
    assert await bot.say("hachat join #den") == ["You may not do that: it is for admins."]
