"""`hachat console`: a chat with the bot, over Redis, from any node."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import click
import trio

from hachat.cli.options import DEGRADED, open_link, read_settings
from hachat.cli.prompt import Prompt, terminal_restored
from hachat.cli.say import ask, make_client, person_options, tell_late
from hachat.cli.speaker import ORDERS, Speaker, is_order, make_speaker, obey, unescape
from hachat.core.addressing import Addressing
from hachat.core.errors import QueueFull, StoreError, UsageError
from hachat.core.settings import Settings
from hachat.store.console import ConsoleClient

HINT = "`{} help` tells what the bot can do, /help what this console can; `exit` or Ctrl-D leaves"
"""What stands above the first prompt, with the bot's name."""

ASIDE = "That was said to the room. What is meant for the bot begins with `{}`; with --private all of it is."
"""What is told once to somebody who gets no answer."""

_SOON = 0.3
"""Seconds by which most answers are there; until then the next prompt waits, so that they stand above it."""

_CHUNK = 65_536

Make = Callable[[Speaker], ConsoleClient]
"""Makes the client of whoever speaks."""


@click.command()
@person_options
def console(config: Path | None, room: str, user: str, *, private: bool, wait: float) -> None:
    """Chat with the bot.

    Without a terminal each line of standard input is asked in turn, and only the bot's replies are
    printed.  Exits with 0 at the end of input, 4 when a line got no answer in time, 5 when Redis
    cannot be reached.
    """
    speaker = make_speaker(user, room)
    sys.exit(trio.run(chat, read_settings(config), speaker, private, wait))


async def chat(
    settings: Settings,
    speaker: Speaker,
    private: bool = False,  # noqa: FBT001, FBT002 -- trio.run passes arguments by position
    patience: float = 30.0,
) -> int:
    """Chat until the input ends, and return the exit code.

    Raises:
        StoreError: Redis cannot be reached (in a group).
        UsageError: without a terminal, a line is an order that the console does not know (in a group).
    """
    async with open_link(settings) as link:
        make = partial(make_client, link, settings, private=private)
        if sys.stdin.isatty() and sys.stdout.isatty():
            click.echo(HINT.format(settings.bot.name), err=True)
            with terminal_restored():
                aside = "" if private else ASIDE.format(settings.bot.name)
                addressing = Addressing(settings.bot.name, settings.bot.aliases)
                await _Conversation(make, speaker, patience, addressing, aside).run()
            return 0
        return await _ask_each(make, speaker, patience)


class _Conversation:
    """What an interactive console does: shows all that is said where somebody speaks, while they type."""

    def __init__(
        self, make: Make, speaker: Speaker, patience: float, addressing: Addressing, aside: str
    ) -> None:
        self._make = make
        self._home = self._speaker = speaker
        self._prompt = Prompt(_make_sign(speaker, speaker))
        self._patience = patience
        self._addressing = addressing
        self._aside = aside
        self._heard: set[str] = set()
        self._done: dict[str, trio.Event] = defaultdict(trio.Event)
        self._answered: set[str] = set()

    async def run(self) -> None:
        """Converse until Ctrl-D or `exit`."""
        async with trio.open_nursery() as nursery:
            await self._attend(nursery)
            while (text := await self._read()) is not None:
                if is_order(text):
                    self._obey(text)
                    await self._attend(nursery)
                elif line := await self._say(unescape(text)):
                    nursery.start_soon(self._remind, line)
                    with trio.move_on_after(_SOON):
                        await self._done[line].wait()
                    self._hint(text, line)
            nursery.cancel_scope.cancel()

    async def _attend(self, nursery: trio.Nursery) -> None:
        """Show from now on what is said to the present speaker; rooms that were left go on being shown."""
        client = self._make(self._speaker)
        if new := [room for room in client.rooms if room not in self._heard]:
            self._heard.update(new)
            nursery.start_soon(self._show, client, await client.find_ends(new))

    def _obey(self, order: str) -> None:
        if order.strip() == "/help":
            self._prompt.show("\n".join(ORDERS.values()))
            return
        try:
            self._speaker = obey(order, self._speaker, self._home)
        except UsageError as error:
            click.echo(f"hachat: {error}", err=True)
        self._prompt.sign = _make_sign(self._speaker, self._home)

    async def _read(self) -> str | None:
        text = await self._prompt.read()
        return None if text is None or text.strip() == "exit" else text

    async def _say(self, text: str) -> str | None:
        if not text.strip():
            return None
        try:
            return await self._make(self._speaker).say(text)
        except (QueueFull, StoreError) as error:
            click.echo(f"hachat: {error}", err=True)
            return None

    def _hint(self, text: str, line: str) -> None:
        """Tell once how the bot is spoken to, when somebody had no answer because they spoke to nobody."""
        silent = self._done[line].is_set() and line not in self._answered
        if self._aside and silent and self._addressing.read(text) is None:
            self._prompt.show(self._aside)
            self._aside = ""

    async def _show(self, client: ConsoleClient, after: Mapping[str, str]) -> None:
        async with client.listen(after) as entries:
            async for entry in entries:
                if entry.said.kind == "receipt":
                    self._done[entry.said.about].set()
                else:
                    self._answered.add(entry.said.about)
                    self._prompt.show(entry.tell(self._speaker.place))

    async def _remind(self, line: str) -> None:
        with trio.move_on_after(self._patience) as waiting:
            await self._done[line].wait()
        if waiting.cancelled_caught and line not in self._answered:
            self._prompt.show(tell_late(self._patience))


def _make_sign(speaker: Speaker, home: Speaker) -> str:
    return f"{speaker.describe(home)}> "


async def _ask_each(make: Make, home: Speaker, patience: float) -> int:
    speaker = home
    async with read_lines(sys.stdin.fileno()) as lines:
        async for line in lines:
            if line.strip() == "/help":
                click.echo("\n".join(ORDERS.values()), err=True)
            elif is_order(line):
                speaker = obey(line, speaker, home)
            elif line.strip() and (late := await ask(make(speaker), unescape(line), patience)):
                click.echo(f"hachat: {late}", err=True)
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
