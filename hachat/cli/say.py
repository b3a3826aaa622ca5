"""`hachat say`: one line to the bot, and what it answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import trio

from hachat.cli.options import DEGRADED, config_option, open_link, read_settings
from hachat.cli.speaker import Speaker, find_login, make_speaker
from hachat.core.settings import Settings
from hachat.store.console import ConsoleClient
from hachat.store.keys import Keys
from hachat.store.link import Link

_LATE = "no answer within {:g} s; it need not be said again: it waits until a master takes it (see `hachat status`), or the bot is at it"
_BUSY = "the bot is not done with it after {:g} s, and goes on; `hachat console` shows what else it says"


def person_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say who speaks to the bot, where, and how patiently."""
    for option in (
        click.option(
            "--wait",
            type=click.FloatRange(min=0, min_open=True),
            default=30.0,
            show_default=True,
            help="Seconds to wait for the answer to a line.",
        ),
        click.option(
            "--private", is_flag=True, help="Speak privately: every line is meant for the bot."
        ),
        click.option(
            "--user", "--as", "user", default=find_login, help="As whom; else by your login name."
        ),
        click.option("--room", "--in", "room", default="", help="Where; else console-<user>."),
        config_option,
    ):
        command = option(command)
    return command


def make_client(
    link: Link, settings: Settings, speaker: Speaker, *, private: bool
) -> ConsoleClient:
    """Return the client of somebody who speaks, with the name of whoever really does."""
    keys = Keys(settings.cluster)
    return ConsoleClient(link, keys, speaker.place, speaker.user, private, find_login())


async def ask(client: ConsoleClient, text: str, patience: float) -> str:
    """Print the replies to `text`; return nothing if the bot was done with it within `patience` seconds, else what to tell.

    Raises:
        QueueFull: too many lines wait, because no master takes them.
        StoreError: Redis did not take it, or not surely (both in a group).
    """
    answered = False
    with trio.move_on_after(patience) as waiting:
        async with client.ask(text) as replies:
            async for reply in replies:
                click.echo(reply)
                answered = True
    return tell_late(patience, answered=answered) if waiting.cancelled_caught else ""


def tell_late(patience: float, *, answered: bool = False) -> str:
    """Return what somebody is told who has waited for the bot for `patience` seconds, and had an answer or none."""
    return (_BUSY if answered else _LATE).format(patience)


@click.command()
@click.argument("text", nargs=-1, required=True)
@person_options
def say(
    text: Sequence[str], config: Path | None, room: str, user: str, *, private: bool, wait: float
) -> None:
    """Say TEXT to the bot and print its replies.

    Exits with 0 once the bot is done with it, even if it had nothing to say; with 4 when no answer
    came in time, 5 when Redis cannot be reached.
    """
    speaker = make_speaker(user, room)

    async def speak(settings: Settings) -> str:
        async with open_link(settings) as link:
            client = make_client(link, settings, speaker, private=private)
            return await ask(client, " ".join(text), wait)

    if late := trio.run(partial(speak, read_settings(config))):
        click.echo(f"hachat: {late}", err=True)
        sys.exit(DEGRADED)
