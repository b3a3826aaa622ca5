"""A handler that says something by itself, for the one test that wants that."""

from __future__ import annotations

from hachat import Context, Handler, on


class Greeting(Handler):
    """Is polite."""

    @on("joined")
    async def welcome(self, ctx: Context) -> None:
        """Greet whoever comes in."""
        await ctx.reply(f"welcome, {ctx.user.name}")
