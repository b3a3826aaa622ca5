"""How a handler is tested: a real bot on a real Valkey, and nothing to set up."""

from greeter import Greeter

from hachat.testing import Driver, handlers


@handlers(Greeter)
async def test_everybody_is_greeted_by_name(bot: Driver) -> None:
    """Alice asks, the bot answers."""
    assert await bot.say("hachat greet Ada") == ["Hello, Ada!"]
