"""The rota turns once a week, and people may swap."""

from datetime import UTC, datetime

from on_call import OnCall

from hachat.testing import Driver, handlers

pytestmark = handlers(OnCall)


async def test_who_is_on_call(bot: Driver) -> None:
    """Nobody, until somebody says who."""
    assert await bot.say("hachat on call") == [
        'Nobody is on call. Say who: "on call rota ada bob".'
    ]
    said = "ada is on call, then bob, then cy"
    assert await bot.say("hachat on call rota ada, bob cy") == [said]
    assert await bot.as_user("bob").in_private().say("on call") == [said]


async def test_the_rota_turns_on_mondays(bot: Driver) -> None:
    """And says so in the operators' room."""
    bot.time = datetime(2026, 3, 6, 12, 0, tzinfo=UTC)  # a Friday
    await bot.say("hachat on call rota ada bob")
    first, second = await bot.advance("10d")
    assert (first, first.room) == ("bob is on call, then ada", "irc/#ops")
    assert second == "ada is on call, then bob"


async def test_swaps(bot: Driver) -> None:
    """The first two change places, once, though a node dies meanwhile."""
    await bot.say("hachat on call rota ada bob cy")
    assert await bot.crash_during("hachat on call swap") == ["bob is on call, then ada, then cy"]
    assert await bot.say("hachat on call") == ["bob is on call, then ada, then cy"]
