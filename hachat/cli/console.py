"""`hachat console`: a chat with the bot, over Redis, from any node."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import click
import trio

from hachat.cli.options import DEGRADED, open_link, read_settings
from hachat.cli.prompt import Prompt, terminal_restored
from hachat.cli.say import LATE, ask, make_client, person_options
from hachat.core.errors import QueueFull, StoreError
from hachat.core.settings import Settings
from hachat.store.console import ConsoleClient

HINT = "`hachat help` lists the commands; `exit` or Ctrl-D leaves"

_SIGN = "> "

_SOON = 0.3
"""Seconds by which most answers are there; until then the next prompt waits, so that they stand above it."""

_CHUNK = 65_536


@click.command()
@person_options
def console(config: Path | None, room: str, user: str, *, private: bool, wait: float) -> None:
    """Chat with the bot.

    Without a terminal each line of standard input is asked in turn, and only the bot's replies are
    printed.  Exits with 0 at the end of input, 4 when a line got no answer in time, 5 when Redis
    cannot be reached.
    """
    sys.exit(trio.run(chat, read_settings(config), room, user, private, wait))


async def chat(
    settings: Settings,
    room: str,
    user: str,
    private: bool = False,  # noqa: FBT001, FBT002 -- trio.run passes arguments by position
    patience: float = 30.0,
) -> int:
    """Chat until the input ends, and return the exit code.

    Raises:
        StoreError: Redis cannot be reached (in a group).
    """
    async with open_link(settings) as link:
        client = make_client(link, settings, room, user, private=private)
        if sys.stdin.isatty() and sys.stdout.isatty():
            click.echo(HINT, err=True)
            with terminal_restored():
                await _Conversation(client, Prompt(_SIGN), patience).run()
            return 0
        return await _ask_each(client, patience)


class _Conversation:
    """What an interactive console does: shows all that is said in the room, while somebody types."""

    def __init__(self, client: ConsoleClient, prompt: Prompt, patience: float) -> None:
        self._client = client
        self._prompt = prompt
        self._patience = patience
        self._done: dict[str, trio.Event] = defaultdict(trio.Event)

    async def run(self) -> None:
        """Converse until Ctrl-D or `exit`."""
        after = await self._client.find_end()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._show, after)
            while (text := await self._read()) is not None:
                if line := await self._say(text):
                    nursery.start_soon(self._remind, line)
                    with trio.move_on_after(_SOON):
                        await self._done[line].wait()
            nursery.cancel_scope.cancel()

    async def _read(self) -> str | None:
        text = await self._prompt.read()
        return None if text is None or text.strip() == "exit" else text

    async def _say(self, text: str) -> str | None:
        if not text.strip():
            return None
        try:
            return await self._client.say(text)
        except (QueueFull, StoreError) as error:
            click.echo(f"hachat: {error}", err=True)
            return None

    async def _show(self, after: str) -> None:
        async with self._client.listen(after) as room:
            async for said in room:
                if said.kind == "receipt":
                    self._done[said.about].set()
                else:
                    self._prompt.show(said.line)

    async def _remind(self, line: str) -> None:
        with trio.move_on_after(self._patience) as waiting:
            await self._done[line].wait()
        if waiting.cancelled_caught:
            self._prompt.show(LATE.format(self._patience))


async def _ask_each(client: ConsoleClient, patience: float) -> int:
    async with read_lines(sys.stdin.fileno()) as lines:
        async for line in lines:
            if line.strip() and not await ask(client, line, patience):
                click.echo(f"hachat: {LATE.format(patience)}", err=True)
                return DEGRADED
    return 0


@trio.as_safe_channel
async def read_lines(source: int) -> AsyncGenerator[str]:
    """Open a channel of the lines that can be read from a file descriptor."""
    rest = b""
    while chunk := await _read_chunk(source):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


async def _read_chunk(source: int) -> bytes:
    with suppress(PermissionError):  # epoll takes no plain file, which never keeps one waiting
        await trio.lowlevel.wait_readable(source)
    return os.read(source, _CHUNK)
