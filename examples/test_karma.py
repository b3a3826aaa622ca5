"""Points are given and taken, counted once, and not for oneself."""

from karma import Karma

from hachat.testing import Driver, handlers

pytestmark = handlers(Karma)


async def test_points_are_counted(bot: Driver) -> None:
    """Whoever says it, and however it is written."""
    assert await bot.say("tea++") == ["tea: 1"]
    assert await bot.as_user("bob").say("I like Tea++ so much") == ["Tea: 2"]
    assert await bot.say("coffee--") == ["coffee: -1"]
    assert await bot.say("hachat karma tea") == ["tea: 2"]
    assert await bot.say("hachat karma") == ["1. tea (2)\n2. coffee (-1)"]


async def test_nobody_votes_for_oneself(bot: Driver) -> None:
    """Not even with a different name."""
    assert await bot.say("@Alice++") == ["Nice try, alice."]
    assert await bot.say("hachat karma alice") == ["alice: 0"]


async def test_what_is_no_vote(bot: Driver) -> None:
    """Programs are full of pluses."""
    assert await bot.say("i++; and c++11, or --help") == []


async def test_a_second_delivery_is_one_vote(bot: Driver) -> None:
    """The chat service may deliver twice."""
    assert await bot.deliver_twice("tea++") == ["tea: 1"]
