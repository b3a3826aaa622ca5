"""Reminders come when they should, to whom they should, and once."""

from remind_me import RemindMe

from hachat.testing import Driver, handlers

pytestmark = handlers(RemindMe)


async def test_a_reminder_comes_in_time(bot: Driver) -> None:
    """In the room where it was asked for."""
    kitchen = bot.in_room("irc/#kitchen")
    assert await kitchen.say("hachat remind me in 10m to turn off the oven") == [
        "I will remind you in 10m."
    ]
    assert await bot.advance("9m") == []
    (said,) = await bot.advance("1h")
    assert said == "alice: you wanted to turn off the oven"
    assert said.room == "irc/#kitchen"


async def test_a_reminder_can_be_taken_back(bot: Driver) -> None:
    """By whoever wanted it; that of somebody else stays."""
    await bot.say("hachat remind me in 1h 30m to eat")
    await bot.as_user("bob").say("hachat remind me in 2h to eat")
    assert await bot.say("hachat forget to eat") == ["Forgotten."]
    assert await bot.advance("1d") == ["bob: you wanted to eat"]


async def test_a_node_that_dies_reminds_nobody_twice(bot: Driver) -> None:
    """The timer of the second run takes the place of the first one's."""
    await bot.crash_during("hachat remind me in 1m to breathe")
    assert await bot.advance("5m") == ["alice: you wanted to breathe"]
