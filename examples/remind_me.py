"""Reminders, as Hubot's remind-me has them: `hachat remind me in 10m to turn off the oven`."""

import msgspec

from hachat import Context, Handler, command, job


class Reminder(msgspec.Struct):
    """What is to be said, to whom, and where."""

    room: str
    user: str
    text: str


class RemindMe(Handler):
    """Remembers for others; its timers outlive every node."""

    @command(r"remind me in (?P<delay>[\d.]+ ?[smhdw](?: ?[\d.]+ ?[smhdw])*) to (?P<text>.+)")
    async def remind(self, ctx: Context, delay: str, text: str) -> None:
        """remind me in TIME to TEXT -- say so then"""
        reminder = Reminder(ctx.room.address, ctx.user.name or ctx.user.id, text)
        try:
            await ctx.after(delay, "ring", data=reminder, name=f"{ctx.user.id} {text}")
        except ValueError as error:
            await ctx.reply(f"I cannot: {error}.")
        else:
            await ctx.reply(f"I will remind you in {delay}.")

    @command(r"forget to (?P<text>.+)")
    async def forget(self, ctx: Context, text: str) -> None:
        """forget to TEXT -- take a reminder back"""
        await ctx.cancel(f"{ctx.user.id} {text}")
        await ctx.reply("Forgotten.")

    @job
    async def ring(self, ctx: Context, reminder: Reminder) -> None:
        """Say what was to be said."""
        await ctx.say(reminder.room, f"{reminder.user}: you wanted to {reminder.text}")
