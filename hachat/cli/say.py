"""`hachat say`: one line to the bot, and what it answers."""

from __future__ import annotations

import sys
from collections.abc import Callable
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

LATE = "no answer within {:g} s: is there a master? `hachat status` tells"


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


async def ask(client: ConsoleClient, text: str, patience: float) -> bool:
    """Print the replies to `text`; return whether the bot was done with it within `patience` seconds.

    Raises:
        QueueFull: too many lines wait, because no master takes them.
        StoreError: Redis did not take it, or not surely (both in a group).
    """
    with trio.move_on_after(patience) as waiting:
        async with client.ask(text) as replies:
            async for reply in replies:
                click.echo(reply)
    return not waiting.cancelled_caught


@click.command()
@click.argument("text")
@person_options
def say(
    text: str, config: Path | None, room: str, user: str, *, private: bool, wait: float
) -> None:
    """Say TEXT to the bot and print its replies.

    Exits with 0 once the bot is done with it, even if it had nothing to say; with 4 when no answer
    came in time, 5 when Redis cannot be reached.
    """
    speaker = make_speaker(user, room)

    async def speak(settings: Settings) -> bool:
        async with open_link(settings) as link:
            return await ask(make_client(link, settings, speaker, private=private), text, wait)

    if not trio.run(partial(speak, read_settings(config))):
        click.echo(f"hachat: {LATE.format(wait)}", err=True)
        sys.exit(DEGRADED)
