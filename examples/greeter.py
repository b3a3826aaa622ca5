"""The smallest useful handler: load it with `handlers = ["greeter"]`, say `hachat greet ada`."""

from hachat import Context, Handler, command


class Greeter(Handler):
    """Is polite."""

    @command(r"greet (?P<name>\w+)")
    async def greet(self, ctx: Context, name: str) -> None:
        """greet NAME -- say hello to NAME"""
        await ctx.reply(f"Hello, {name}!")
