"""Points for people and things, as Hubot's and Lita's karma have them: `tea++`, `tea--`, `hachat karma tea`."""

from hachat import Context, Handler, command, hear


class Karma(Handler):
    """Keeps the points of everything."""

    @hear(r"(?<!\S)(?P<thing>[\w.@-]*\w)(?P<sign>\+\+|--)(?!\S)")
    async def vote(self, ctx: Context, thing: str, sign: str) -> None:
        """Give a point or take it, but not to oneself."""
        if thing.lstrip("@").casefold() in {ctx.user.id.casefold(), ctx.user.name.casefold()}:
            await ctx.reply(f"Nice try, {ctx.user.name or ctx.user.id}.")
            return
        points = await ctx.memory.increment(thing.casefold(), 1 if sign == "++" else -1)
        await ctx.reply(f"{thing}: {points}")

    @command(r"karma (?P<thing>\S+)")
    async def show(self, ctx: Context, thing: str) -> None:
        """karma THING -- tell its points"""
        await ctx.reply(f"{thing}: {await ctx.memory.get(thing.casefold(), 0)}")

    @command(r"karma")
    async def best(self, ctx: Context) -> None:
        """karma -- list the best"""
        points = await ctx.memory.items(type=int)
        best = sorted(points.items(), key=lambda item: (-item[1], item[0]))[:5]
        lines = [f"{place}. {thing} ({count})" for place, (thing, count) in enumerate(best, 1)]
        await ctx.reply("\n".join(lines) or "Nobody has any.")
