"""Coming into rooms, and leaving them."""

from __future__ import annotations

import pytest

from hachat.bot.handlers.presence import Presence
from hachat.testing import Driver, handlers

pytestmark = handlers(Presence, groups={"admins": ["ada"]})


async def test_admins_send_it_into_rooms(bot: Driver) -> None:
    """Of the service on which they say so, with the key if there is one; it is said what was done."""
    ada = bot.in_room("irc/#ops").as_user("ada")
    said = await ada.say("hachat join #den sesame")
    assert {(one.op, one.room) for one in said} == {("join", "irc/#den"), ("say", "irc/#ops")}
    assert [one.args.get("key") for one in said if one.op == "join"] == ["sesame"]
    told = "I will be in #den from now on. If I cannot get in, I will say so here."
    assert told in said
    (again, *_) = [one for one in await ada.say("hachat join irc/#den") if one.op == "join"]
    assert again.room == "irc/#den"


async def test_admins_send_it_away(bot: Driver) -> None:
    """Out of this room, or of another; it says so before it goes."""
    ada = bot.in_room("irc/#ops").as_user("ada")
    said = await ada.say("hachat part")
    assert [(one.op, one.room) for one in said] == [("say", "irc/#ops"), ("part", "irc/#ops")]
    said = await ada.say("hachat part #den")
    assert ("part", "irc/#den") in {(one.op, one.room) for one in said}
    told = "I will stay out of #den from now on. If I cannot leave, I will say so here."
    assert told in said


@pytest.mark.parametrize(
    ("room", "address"), [("other-net/#den", "other-net/#den"), ("#a/b", "irc/#a/b")]
)
async def test_an_address_names_another_service(bot: Driver, room: str, address: str) -> None:
    """A channel with a stroke in its name is none."""
    said = await bot.in_room("irc/#ops").as_user("ada").say(f"hachat join {room}")
    assert [one.room for one in said if one.op == "join"] == [address]


@handlers(Presence(["console"]), groups={"admins": ["ada"]})
async def test_where_nobody_can_join_it_is_said_at_once(bot: Driver) -> None:
    """And nothing is promised; on other services it can be done from there, too."""
    ada = bot.in_room("console/ops").as_user("ada")
    cannot = "On console I cannot come into rooms, or leave them."
    for text in ("join #lab", "part", "part #lab"):
        assert await ada.say(f"hachat {text}") == [cannot]
    assert "join" in [one.op for one in await ada.say("hachat join irc/#lab")]


async def test_a_private_room_is_not_left(bot: Driver) -> None:
    """There a room has to be named."""
    said = await bot.as_user("ada").in_private().say("part")
    assert said == ["We are alone here; write part ROOM."]


async def test_others_do_not(bot: Driver) -> None:
    """They are told."""
    assert await bot.say("hachat join #den") == ["You may not do that: it is for admins."]
