"""What is still to be done, and what was given up?"""

from __future__ import annotations

from hachat.bot.access import find_sender
from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.access import ADMINS
from hachat.core.errors import HachatError, StoreError, UsageError
from hachat.core.rates import format_wait
from hachat.store.dead import DeadLetters
from hachat.store.jobs import Jobs
from hachat.store.letter import Query

SHOWN = 10
"""Jobs, or dead letters, that are listed."""

_AWAY = "Redis does not answer me, so I cannot tell right now."


class Chores(Handler):
    """Lists jobs and dead letters."""

    def __init__(self, jobs: Jobs, letters: DeadLetters) -> None:
        self._jobs = jobs
        self._letters = letters

    @command("jobs")
    async def jobs(self, ctx: Context) -> None:
        """jobs -- list what is due next"""
        try:
            agenda = await self._jobs.agenda(SHOWN + 1)
        except StoreError as error:
            await _complain(ctx, error)
            return
        lines = [
            f"in {format_wait(max(0.0, job.due - agenda.at))}: {job.what} ({job.id})"
            for job in agenda.jobs[:SHOWN]
        ]
        more = ["and more"] if len(agenda.jobs) > SHOWN else []
        await ctx.reply("\n".join([*lines, *more]) or "No job waits.")

    @command(r"jobs\s+cancel\s+(?P<job>\S+)", groups={ADMINS})
    async def cancel(self, ctx: Context, job: str) -> None:
        """jobs cancel ID -- take a job back"""
        try:
            found = await self._jobs.cancel(job)
        except StoreError as error:
            await _complain(ctx, error)
        else:
            await ctx.reply(f"{job} is cancelled." if found else f"No job waits as {job}.")

    @command("dead", groups={ADMINS})
    async def dead(self, ctx: Context) -> None:
        """dead -- list what was given up, the newest first"""
        try:
            page = await self._letters.find(Query(), SHOWN)
        except StoreError as error:
            await _complain(ctx, error)
            return
        lines = [f"{one.entry}: {one.origin}, {one.reason}" for one in page.letters]
        await ctx.reply("\n".join(lines) or "Nothing was given up.")

    @command(r"dead\s+retry\s+(?P<entry>\S+)", groups={ADMINS})
    async def retry(self, ctx: Context, entry: str) -> None:
        """dead retry ENTRY -- try once more what was given up"""
        try:
            moved = await self._letters.retry(entry, find_sender(ctx.message))
        except StoreError as error:
            await _complain(ctx, error)
        except (UsageError, HachatError) as error:
            await ctx.reply(f"That cannot be done: {error}.")
        else:
            await ctx.reply("It is tried once more." if moved else f"There is no {entry} any more.")


async def _complain(ctx: Context, error: StoreError) -> None:
    ctx.log.warning("cannot look after jobs and dead letters", error=str(error))
    await ctx.reply(_AWAY)
