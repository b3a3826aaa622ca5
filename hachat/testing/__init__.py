"""What the author of a handler tests it with, under pytest.

::

    from hachat.testing import Driver, handlers

    @handlers(Greeter)
    async def test_greeting(bot: Driver) -> None:
        assert await bot.say("hachat greet Ada") == ["Hello, Ada!"]
"""

from hachat.testing.driver import Driver
from hachat.testing.hooks import Fetched
from hachat.testing.marks import handlers
from hachat.testing.service import Said
from hachat.testing.speaker import Speaker

__all__ = ["Driver", "Fetched", "Said", "Speaker", "handlers"]
