"""Who may deploy what, one at a time, as Hubot's and Lita's deploy locks have it: `hachat lock web for 2h fixing the login`."""

import msgspec

from hachat import Context, Handler, command


class Lock(msgspec.Struct):
    """Who holds it, and why."""

    holder: str
    reason: str = ""

    def describe(self, app: str) -> str:
        """Return that in words."""
        return f"{app} is locked by {self.holder}" + (f": {self.reason}" if self.reason else ".")


class DeployLock(Handler):
    """Keeps people from deploying over each other."""

    @command(r"lock (?P<app>\S+?)( for (?P<time>\d+[smhd]))?( (?P<reason>.+))?")
    async def lock(self, ctx: Context, app: str, time: str | None = None, reason: str = "") -> None:
        """lock APP [for TIME] [REASON] -- let nobody else deploy APP"""
        lock = Lock(ctx.user.id, reason)
        held = await ctx.memory.get(app, type=Lock)
        ours = (
            held is None or held.holder == lock.holder
        )  # who asks twice keeps it, so a second run is none
        if ours and await ctx.memory.replace(app, held, lock, expire=time or "1d"):
            await ctx.reply(lock.describe(app))
        else:
            now = await ctx.memory.get(app, held, type=Lock)
            await ctx.reply(f"Not now. {now.describe(app)}" if now else "Try again.")

    @command(r"unlock (?P<app>\S+)")
    async def unlock(self, ctx: Context, app: str) -> None:
        """unlock APP -- let others deploy APP again"""
        held = await ctx.memory.get(app, type=Lock)
        await ctx.memory.delete(app)
        by = f"; {held.holder} held it" if held and held.holder != ctx.user.id else ""
        await ctx.reply(f"{app} is free{by}.")

    @command(r"locks")
    async def list(self, ctx: Context) -> None:
        """locks -- list what is locked, and by whom"""
        locks = await ctx.memory.items(type=Lock)
        lines = [lock.describe(app) for app, lock in sorted(locks.items())]
        await ctx.reply("\n".join(lines) or "Everything is free.")
