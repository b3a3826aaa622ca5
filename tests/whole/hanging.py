"""Handlers that never end on node-1, each in a way of its own; on every other node they end at once."""

from __future__ import annotations

import threading

import trio

from hachat import Context, Handler, command, hook

ILL = "node-1"
"""The node on which they hang."""


class Hang(Handler):
    """Logs what is begun and what is done, and of which message."""

    @command("hang")
    async def sleep(self, ctx: Context) -> None:
        """hang -- wait for ever, as for a service that does not answer"""
        ctx.log.info("begun")
        if ctx.bot.node == ILL:
            await trio.sleep_forever()
        ctx.log.info("done")

    @hook.post("/thread")
    def thread(self, ctx: Context) -> None:
        """Block a thread for ever."""
        ctx.log.info("begun")
        if ctx.bot.node == ILL:
            threading.Event().wait()
        ctx.log.info("done")

    @hook.post("/shield")
    async def shield(self, ctx: Context) -> None:
        """Take no notice of being cancelled."""
        ctx.log.info("begun")
        if ctx.bot.node == ILL:
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
        ctx.log.info("done")
