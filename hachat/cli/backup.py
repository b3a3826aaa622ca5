"""`hachat backup` and `hachat restore`: what lives in Redis alone, in a file."""

from __future__ import annotations

import getpass
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

import click
import trio

from hachat import __version__
from hachat.cli.files import STANDARD, read_lines, reading, writing
from hachat.cli.options import config_option, open_link, read_settings
from hachat.core import backup as lines
from hachat.core.backup import MAX_LINE, End, Header, Record, write_line
from hachat.core.errors import UsageError
from hachat.core.plain import show
from hachat.core.settings import Settings
from hachat.store.audit import Audit
from hachat.store.backup import Archive, Counts, Fate
from hachat.store.keys import Keys
from hachat.store.link import Link

_DONE: Mapping[Fate, str] = {"new": "written", "different": "replaced"}
_LEFT: Mapping[Fate, str] = {
    "new": "changed meanwhile and left as they are",
    "different": "different and left as they are",
}


@click.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
def backup(config: Path | None, file: Path) -> None:
    """Write what lives in Redis alone to FILE: what handlers remember, who is known, groups, rooms, timers.

    The cluster goes on meanwhile. FILE is compressed if its name ends in .gz, readable by you alone, and takes its name
    once it is whole; - or none is the standard output. Messages on their way are not in it.
    """
    settings = read_settings(config)
    with writing(file) as out:
        count = trio.run(_back_up, settings, out)
    if file != STANDARD:
        click.echo(f"{file}: {count} records")


@click.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--replace", is_flag=True, help="What is there and different is replaced.")
@click.option("--keep", is_flag=True, help="What is there and different stays.")
@click.option("--dry-run", is_flag=True, help="Only tell how FILE stands to what is there.")
@click.option("--by", default=getpass.getuser, help="Who does it; else your login name.")
def restore(
    config: Path | None, file: Path, *, replace: bool, keep: bool, dry_run: bool, by: str
) -> None:
    """Bring back what `hachat backup` has written to FILE; - is the standard input.

    It is read whole before anything is written. If something else is there already, nothing is written unless --keep or
    --replace says what is to become of it. Timers whose time has passed are left out. Doing it twice changes nothing
    more. Exits with 2 if FILE is no whole backup, or something else is there.
    """
    if replace and keep:
        raise UsageError("--replace and --keep are opposites; take one of them")
    settings = read_settings(config)
    with reading(file) as source:
        header = _check(file, source)
        click.echo(
            f"{file}: a backup of the cluster {show(header.cluster)} by hachat {show(header.version)},"
            f" {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(header.at))}"
        )
        if dry_run:
            trio.run(_compare, settings, source)
        else:
            deed = {"by": by, "of": header.cluster, "how": "replace" if replace else "keep"}
            trio.run(_restore, settings, source, deed, replace or keep)


def _open(settings: Settings, link: Link) -> Archive:
    return Archive(link, Keys(settings.cluster), sorted({*settings.chat, "console"}))


async def _back_up(settings: Settings, out: BinaryIO) -> int:
    """Write all that there is into `out`, and return how many records that were."""
    count = 0
    async with open_link(settings) as link, aclosing(_open(settings, link).read()) as records:
        _write(out, Header(settings.cluster, time.time(), __version__))
        async for record in records:
            _write(out, record)
            count += 1
    _write(out, End(count))
    return count


def _write(out: BinaryIO, entry: Header | Record | End) -> None:
    try:
        out.write(write_line(entry))
    except OSError as error:
        raise UsageError(f"cannot write the backup: {error.strerror or error}") from error


def _check(file: Path, source: BinaryIO) -> Header:
    """Return the header of a backup that was read whole, and can be restored.

    Raises:
        UsageError: it is none; says in which line and why.
    """
    try:
        entries = _read(source)
        header = next(entries)
        deque(entries, maxlen=0)
    except UsageError as error:
        raise UsageError(f"{file}: {error}; nothing was written") from None
    assert isinstance(header, Header)
    return header


def _read_records(source: BinaryIO) -> Iterator[Record]:
    return (entry for entry in _read(source) if not isinstance(entry, Header))


def _read(source: BinaryIO) -> Iterator[Header | Record]:
    return lines.read_lines(read_lines(source, MAX_LINE + 1))


async def _compare(settings: Settings, source: BinaryIO) -> None:
    async with open_link(settings) as link:
        _show(await _open(settings, link).compare(_read_records(source)))


async def _restore(
    settings: Settings,
    source: BinaryIO,
    deed: Mapping[str, str],
    decided: bool,  # noqa: FBT001 - trio.run passes no names
) -> None:
    """Write a backup, unless something else is there and nobody has `decided` what becomes of it."""
    replace = deed["how"] == "replace"
    async with open_link(settings) as link:
        archive = _open(settings, link)
        found = await archive.compare(_read_records(source))
        if not decided:
            _refuse_different(found)
        written: Counts = Counter()
        if any(fate == "new" or (replace and fate == "different") for _, fate in found):
            # Noted first: a restore that fails half-way has given people groups, too.
            await Audit(link, Keys(settings.cluster)).note("restored a backup", **deed)
            written = await archive.write(_read_records(source), replace=replace)
        _show(found, written)


def _refuse_different(found: Counts) -> None:
    different = [
        f"{kind}: {count}" for (kind, fate), count in sorted(found.items()) if fate == "different"
    ]
    if different:
        raise UsageError(
            f"something else is there already ({', '.join(different)}); nothing was written."
            " Say --keep to leave that as it is, or --replace to have it as it is in the file"
        )


def _show(found: Counts, written: Counts | None = None) -> None:
    """Print how a backup stands to what was there, or what was `written` of it."""
    for (kind, fate), count in sorted(found.items()):
        done = written[kind, fate] if written is not None else 0
        if done:
            click.echo(f"{kind}: {done} {_DONE[fate]}")
        if count > done:
            left = fate if written is None else _LEFT.get(fate, fate)
            click.echo(f"{kind}: {count - done} {left}")
    if not found:
        click.echo("it is empty")
