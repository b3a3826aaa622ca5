"""Who is on call, as the rotas of Hubot and Lita have it: the next one each Monday, and whoever swaps."""

from collections.abc import Callable

import msgspec

from hachat import Context, Handler, command, every


class Rota(msgspec.Struct):
    """Who takes turns, in their order, of whom the first is on call; and which message or job said so last."""

    people: list[str] = []
    last: str = ""


class OnCall(Handler):
    """Knows whom to wake."""

    class Settings(msgspec.Struct):
        """Where the change is announced."""

        room: str = "irc/#ops"

    def __init__(self, settings: Settings) -> None:
        self._room = settings.room

    @command(r"on call")
    async def show(self, ctx: Context) -> None:
        """on call -- tell who is, and who is next"""
        await ctx.reply(_describe(await self._read(ctx)))

    @command(r"on call rota (?P<people>.+)")
    async def set_rota(self, ctx: Context, people: str) -> None:
        """on call rota PERSON PERSON ... -- say who takes turns"""
        rota = Rota(people.replace(",", " ").split(), ctx.id)
        await ctx.memory.set("rota", rota)
        await ctx.reply(_describe(rota))

    @command(r"on call swap")
    async def swap(self, ctx: Context) -> None:
        """on call swap -- let the next one take this week"""
        await self._change(ctx, lambda people: [*people[1::-1], *people[2:]])
        await ctx.reply(_describe(await self._read(ctx)))

    @every("monday 09:00")
    async def turn(self, ctx: Context) -> None:
        """Let the next one be on call."""
        await self._change(ctx, lambda people: [*people[1:], *people[:1]])
        await ctx.say(self._room, _describe(await self._read(ctx)))

    async def _change(self, ctx: Context, change: Callable[[list[str]], list[str]]) -> None:
        """Change the order once, though the handler may be run twice."""
        rota = await self._read(ctx)
        if rota.last != ctx.id:
            await ctx.memory.replace("rota", rota, Rota(change(rota.people), ctx.id))

    async def _read(self, ctx: Context) -> Rota:
        return await ctx.memory.get("rota", Rota(), type=Rota)


def _describe(rota: Rota) -> str:
    if not rota.people:
        return 'Nobody is on call. Say who: "on call rota ada bob".'
    return f"{rota.people[0]} is on call" + "".join(f", then {name}" for name in rota.people[1:])
