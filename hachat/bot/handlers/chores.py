"""What is still to be done, and what was given up?"""

from __future__ import annotations

from hachat.bot.access import name_speaker
from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.access import ADMINS
from hachat.core.errors import QueueFull, StoreError, UsageError, WireError
from hachat.core.phrases import gettext_noop
from hachat.core.plain import show
from hachat.core.rates import format_wait
from hachat.store.dead import DeadLetters
from hachat.store.jobs import Agenda, Jobs, Waiting
from hachat.store.letter import Letter, Query

JOBS, LETTERS = 10, 5
"""Jobs, and dead letters, that are listed."""

_REASON = 200
"""Characters of a reason that are told."""

_NONE = gettext_noop("Nothing was given up.")

_AWAY = gettext_noop("Redis does not answer me, so I cannot tell right now.")


class Chores(Handler):
    """Lists jobs and dead letters."""

    def __init__(self, jobs: Jobs, letters: DeadLetters) -> None:
        self._jobs = jobs
        self._letters = letters

    @command("jobs")
    async def jobs(self, ctx: Context) -> None:
        """jobs -- list what is due next, schedules too"""
        try:
            agenda = await self._jobs.agenda(JOBS + 1)
        except StoreError as error:
            await _complain(ctx, error)
            return
        lines = describe_agenda(ctx, agenda)
        more = [ctx.translate("and more")] if len(lines) > JOBS else []
        await ctx.reply("\n".join([*lines[:JOBS], *more]) or ctx.translate("No job waits."))

    @command(r"jobs\s+cancel\s+(?P<job>\S+)", groups={ADMINS})
    async def cancel(self, ctx: Context, job: str) -> None:
        """jobs cancel ID -- take a job back"""
        try:
            found = await self._jobs.cancel(job)
        except StoreError as error:
            await _complain(ctx, error)
        else:
            cancelled = ctx.translate("{job} is cancelled.", job=job)
            unknown = ctx.translate("No job waits as {job}.", job=job)
            await ctx.reply(cancelled if found else unknown)

    @command("dead", groups={ADMINS})
    async def dead(self, ctx: Context) -> None:
        """dead -- tell how much was given up, and of the newest why and when"""
        try:
            count, now = await self._letters.count(), await self._letters.read_clock()
            page = await self._letters.find(Query(), LETTERS)
        except StoreError as error:
            await _complain(ctx, error)
            return
        lines = [describe_letter(ctx, letter, now) for letter in page.letters]
        total = ctx.translate("dead letters: {count}", count=count)
        await ctx.reply("\n".join([total, *lines]) if lines else ctx.translate(_NONE))

    @command(r"dead\s+retry\s+(?P<entry>\S+)", groups={ADMINS})
    async def retry(self, ctx: Context, entry: str) -> None:
        """dead retry ENTRY -- try once more what was given up"""
        try:
            moved = await self._letters.retry(entry, name_speaker(ctx.message))
        except StoreError as error:
            await _complain(ctx, error)
        except (QueueFull, UsageError, WireError) as error:
            await ctx.reply(
                ctx.translate("That cannot be done: {reason}.", reason=ctx.explain(error))
            )
        else:
            again = ctx.translate("It is tried once more.")
            gone = ctx.translate("There is no {entry} any more.", entry=entry)
            await ctx.reply(again if moved else gone)


def describe_agenda(ctx: Context, agenda: Agenda) -> list[str]:
    """Return lines about jobs and the next slots of schedules, in the order in which they are due."""
    lines = [(job.due, describe_job(ctx, job)) for job in agenda.jobs]
    lines += [
        (due, ctx.translate("{job}, by its schedule", job=name))
        for name, due in agenda.upcoming.items()
    ]
    return [f"{_say_when(ctx, due - agenda.at)}: {what}" for due, what in sorted(lines)]


def describe_job(ctx: Context, job: Waiting) -> str:
    """Return what a job is for, and its id."""
    # Where somebody said something, perhaps in private, is not for everybody.
    what = ctx.translate("a message, once more") if job.lane == "chat" else job.what
    return f"{what} ({job.id})"


def describe_letter(ctx: Context, letter: Letter, now: float) -> str:
    """Return a letter in a line: its entry, its age, where it was for, and why it was given up."""
    reason = show(letter.reason)
    shown = reason if len(reason) <= _REASON else f"{reason[:_REASON]}..."
    age = format_wait(max(0.0, now - letter.at))
    return ctx.translate(
        "{entry}, {age} ago: {origin}, {reason}",
        entry=letter.entry,
        age=age,
        origin=show(letter.origin),
        reason=shown,
    )


def _say_when(ctx: Context, wait: float) -> str:
    return ctx.translate("in {time}", time=format_wait(wait)) if wait > 0 else ctx.translate("now")


async def _complain(ctx: Context, error: StoreError) -> None:
    ctx.log.warning("cannot look after jobs and dead letters", error=str(error))
    await ctx.reply(ctx.translate(_AWAY))
