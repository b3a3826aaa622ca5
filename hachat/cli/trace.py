"""`hachat trace`: what became of a message."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
import trio

from hachat.cli.letters import format_time
from hachat.cli.options import FAILED, config_option, open_link, read_settings
from hachat.core.errors import UsageError
from hachat.core.plain import show, show_json
from hachat.core.settings import Settings
from hachat.store.keys import Keys
from hachat.store.trail import Step, Trace
from hachat.store.trail import trace as read_trace


@click.command()
@click.argument("id_", metavar="ID")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def trace(config: Path | None, *, id_: str, as_json: bool) -> None:
    """Tell the way of a message, by its ID or that of one of its replies.

    When it came, who took it, what was replied, sent, given up; and whether it still waits.  The
    cluster remembers about ten thousand turns.  Exits with 1 if nothing is known of it.
    """
    if not id_:
        raise UsageError("an id is needed, such as logs and `hachat dead list` have them")
    found = trio.run(partial(_look, read_settings(config), id_))
    if as_json:
        click.echo(show_json(_to_plain(found)))
    else:
        click.echo("\n".join(_describe(found)))
    if not (found.steps or found.waiting or found.letters):
        sys.exit(FAILED)


async def _look(settings: Settings, id_: str) -> Trace:
    async with open_link(settings) as link:
        return await read_trace(link, Keys(settings.cluster), id_)


def _to_plain(found: Trace) -> dict[str, Any]:
    return {
        "id": found.id,
        "steps": msgspec.to_builtins(found.steps),
        "waiting": msgspec.to_builtins(found.waiting),
        "dead": [letter.describe() for letter in found.letters],
        "kept_since": found.kept_since,
    }


def _describe(found: Trace) -> Iterator[str]:
    for step in found.steps:
        yield _describe_step(step, found.id)
    if not any(step.what == "in" for step in found.steps):
        yield _describe_memory(found)
    for place in found.waiting:
        yield f"waits in the {place.kind} of {show(place.name)}: {place.position} of {place.length}"
    for letter in found.letters:
        yield f"dead letter {letter.entry}, {letter.kind}: {show(letter.reason)}"
    if not found.waiting and not found.letters and found.steps:
        yield "nothing of it waits, and there is no dead letter of it"


def _describe_step(step: Step, id_: str) -> str:
    when = f"{format_time(step.at)}.{round(step.at * 1000) % 1000:03d}"
    part = step.id.removeprefix(id_)
    note = f"moved to {step.note}" if step.what == "aside" else step.note
    words = (part, note, f"by {step.by}" if step.by else "")
    return f"{when}  {show(step.what):<9}{'  '.join(show(word) for word in words if word)}".rstrip()


def _describe_memory(found: Trace) -> str:
    if found.kept_since is None:
        return "nothing is remembered of any message yet"
    since = format_time(found.kept_since)
    known = "how it came" if found.steps else "it"
    return f"the trail does not tell of {known}; it was looked through back to {since} UTC"
