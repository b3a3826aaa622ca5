"""A handler that asks, in a process that may die at any step of it, each once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hachat import Context, Handler, command

FOLDER = "HACHAT_TEST_DEATHS"
"""The variable that names a folder with a file for each step at which a process is to die."""


class Asking(Handler):
    """Asks twice, and says what it was answered."""

    @command(r"deploy (?P<app>\S+)")
    async def deploy(self, ctx: Context, app: str) -> None:
        """deploy APP -- ask where to, and whether"""
        die_at(f"{app} begins")
        await ctx.reply(f"{app} it is")
        with dying(f"{app} asks"):
            where = await ctx.choose("Where to?", ["staging", "production"], within="1m")
        die_at(f"{app} goes on")
        await ctx.reply(f"to {where}")
        with dying(f"{app} asks again"):
            sure = await ctx.confirm("Sure?", within="1m")
        await ctx.reply("deployed" if sure else "not deployed")
        die_at(f"{app} ends")

    @command("hurry")
    def hurry(self, ctx: Context) -> None:
        """hurry -- ask, from a thread, for two seconds"""
        name = ctx.questions.ask("Who?", within="2s")
        ctx.reply(f"hurry, {name}")


@contextmanager
def dying(step: str) -> Iterator[None]:
    """Die as the block is left by a question."""
    try:
        yield
    except BaseException:
        die_at(step)
        raise


def die_at(step: str) -> None:
    """Let nothing more be done by this process, if it is to die here."""
    mark = Path(os.environ[FOLDER], step)
    if mark.exists():
        mark.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
