"""`hachat dead`: what was given up, shown, retried and dropped."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import trio

from hachat.cli.letters import render_letter, render_list
from hachat.cli.options import FAILED, config_option, open_link, read_settings, read_span
from hachat.cli.screen import make_console
from hachat.core.errors import QueueFull, UsageError, WireError
from hachat.core.plain import show, show_json
from hachat.core.settings import Settings
from hachat.store.dead import DeadLetters
from hachat.store.keys import Keys
from hachat.store.letter import Letter, Page, Query

_LISTED = 20
_EVERYTHING = 1_000_000
_DONE = {"retried", "dropped"}

_PART = 100
"""Letters in memory at once."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which letters are meant."""
    for option in (
        click.option(
            "--limit", type=click.IntRange(min=1), help="So many at most; a list has 20 by default."
        ),
        click.option(
            "--since",
            metavar="SPAN",
            callback=read_span,
            help="Those of the last 30s, 15m, 2h, 3d.",
        ),
        click.option(
            "--why", default="", metavar="TEXT", help="Those whose reason has TEXT in it."
        ),
        click.option("--kind", type=click.Choice(["message", "reply"]), help="Only these."),
        click.option(
            "--room", default="", metavar="GLOB", help="Those of rooms such as 'irc/#ops*'."
        ),
    ):
        command = option(command)
    return command


def choice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments and options of a command that does something with letters."""
    for option in (
        json_option,
        click.option("--by", default=getpass.getuser, help="Who does it; else your login name."),
        click.option("--yes", is_flag=True, help="With --all: do not ask."),
        click.option("--all", "every", is_flag=True, help="All that the filters mean."),
        filter_options,
        config_option,
        click.argument("ids", nargs=-1, metavar="[ID]..."),
    ):
        command = option(command)
    return command


@click.group()
def dead() -> None:
    """Show, retry or drop dead letters: what was given up, with its reason."""


@dead.command("list")
@config_option
@filter_options
@click.option("--oldest", is_flag=True, help="Begin with the oldest.")
@click.option("--after", default="", metavar="ID", help="Go on behind this one.")
@json_option
def list_letters(
    config: Path | None,
    *,
    limit: int | None,
    oldest: bool,
    after: str,
    as_json: bool,
    **filters: Any,
) -> None:
    """List dead letters, the newest first."""
    query = Query(**filters, oldest_first=oldest)
    find = partial(_find, query, limit or _LISTED, after)
    page = _with_letters(read_settings(config), find)
    if as_json:
        letters = [letter.describe() for letter in page.letters]
        click.echo(show_json({"letters": letters, "next": page.next}))
    else:
        make_console().print(render_list(page))


@dead.command("show")
@config_option
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
def show_letters(config: Path | None, *, ids: Sequence[str], as_json: bool) -> None:
    """Show dead letters with all that is in them.

    Control characters are shown as escapes.  Exits with 1 if one is not there.
    """

    async def read(letters: DeadLetters) -> list[Letter | None]:
        return [await letters.read(entry) for entry in ids]

    found = _with_letters(read_settings(config), read)
    there = [letter for letter in found if letter is not None]
    if as_json:
        click.echo(show_json([letter.describe() for letter in there]))
    else:
        click.echo("\n\n".join(map(render_letter, there)), nl=bool(there))
    for entry, letter in zip(ids, found, strict=True):
        if letter is None:
            click.echo(f"hachat: there is no dead letter {entry}", err=True)
    if len(there) < len(ids):
        sys.exit(FAILED)


@dead.command()
@choice_options
def retry(config: Path | None, **options: Any) -> None:
    """Put dead letters back where they waited, each once; failures and deaths are forgotten.

    Exits with 1 if one of them could not be moved: it is gone, what it is for is full, or it cannot be
    read.  After an error it is safe to say it again.
    """
    _deal(config, "retry", **options)


@dead.command()
@choice_options
def drop(config: Path | None, **options: Any) -> None:
    """Drop dead letters for good.

    Exits with 1 if one of them was gone already.
    """
    _deal(config, "drop", **options)


def _deal(
    config: Path | None,
    verb: str,
    *,
    ids: Sequence[str],
    every: bool,
    yes: bool,
    by: str,
    as_json: bool,
    limit: int | None,
    **filters: Any,
) -> None:
    settings = read_settings(config)
    filtered = any(value not in {None, ""} for value in (limit, *filters.values()))
    if bool(ids) == every or (ids and filtered):
        raise UsageError(f"name the letters to {verb} by their ids, or with --all and filters")
    if every:
        query = Query(**filters, oldest_first=True)
        ids = _with_letters(settings, partial(_collect, query, limit or _EVERYTHING))
        if not ids:
            click.echo(f"hachat: there is nothing to {verb}", err=True)
        elif not yes:
            _confirm(verb, len(ids))
    results: dict[str, str] = {}
    try:
        _with_letters(settings, partial(_deal_with_all, verb, ids, by, results))
    finally:
        # What was done is told even if Redis went away in the middle.
        _tell(results, as_json=as_json)
    if any(result not in _DONE for result in results.values()):
        sys.exit(FAILED)


async def _find(query: Query, most: int, after: str, letters: DeadLetters) -> Page:
    """Return a page that is full or the last, however few of the letters are meant."""
    page = await letters.find(query, most, after)
    while page.next and len(page.letters) < most:
        more = await letters.find(query, most - len(page.letters), page.next)
        page = Page([*page.letters, *more.letters], more.next)
    return page


async def _collect(query: Query, most: int, letters: DeadLetters) -> list[str]:
    ids: list[str] = []
    after = ""
    while True:
        page = await letters.find(query, min(most - len(ids), _PART), after)
        ids += [letter.entry for letter in page.letters]
        after = page.next
        if not after or len(ids) >= most:
            return ids


async def _deal_with_all(
    verb: str, ids: Sequence[str], by: str, results: dict[str, str], letters: DeadLetters
) -> None:
    deal = letters.retry if verb == "retry" else letters.drop
    done = "retried" if verb == "retry" else "dropped"
    for entry in ids:
        try:
            results[entry] = done if await deal(entry, by) else "gone"
        except QueueFull as error:
            results[entry] = f"full: {error}"
        except WireError as error:
            results[entry] = f"cannot be read: {error}"


def _confirm(verb: str, count: int) -> None:
    try:
        sure = click.confirm(f"{verb} {count} dead letters?", err=True)
    except click.Abort:
        sure = False
    if not sure:
        raise UsageError("nothing was done; say y, or use --yes")


def _tell(results: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        rows = [{"id": entry, "result": show(result)} for entry, result in results.items()]
        click.echo(show_json(rows))
    else:
        for entry, result in results.items():
            click.echo(f"{entry} {show(result)}")


def _with_letters(settings: Settings, action: Callable[[DeadLetters], Awaitable[Any]]) -> Any:
    async def act() -> Any:
        async with open_link(settings) as link:
            return await action(DeadLetters(link, Keys(settings.cluster), settings.queue))

    return trio.run(act)
