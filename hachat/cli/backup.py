"""`hachat backup` and `hachat restore`: what lives in Redis alone, in a file."""

from __future__ import annotations

import gzip
import io
import os
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import trio

from hachat import __version__
from hachat.cli.options import config_option, open_link, read_settings
from hachat.core.backup import MAX_LINE, Header, Record, read_lines, write_lines
from hachat.core.errors import UsageError
from hachat.core.settings import Settings
from hachat.store.backup import Archive, Fate
from hachat.store.keys import Keys
from hachat.store.link import Link

_GZIP = b"\x1f\x8b"


@click.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def backup(config: Path | None, file: Path) -> None:
    """Write what lives in Redis alone to FILE: what handlers remember, who is known, groups, rooms, timers.

    The cluster goes on meanwhile. FILE is compressed if its name ends in .gz, readable by you alone, and takes its name
    once it is whole; - is the standard output. Messages on their way are not in it.
    """
    settings = read_settings(config)
    records = trio.run(_read, settings)
    lines = write_lines(Header(settings.cluster, time.time(), __version__), records)
    if str(file) == "-":
        sys.stdout.buffer.writelines(lines)
        return
    try:
        _write(file, lines)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
    click.echo(f"{file}: {len(records)} records")


@click.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--replace", is_flag=True, help="Put what is in FILE in the place of what is there.")
@click.option("--dry-run", is_flag=True, help="Only tell what is in FILE, once it was read whole.")
def restore(config: Path | None, file: Path, *, replace: bool, dry_run: bool) -> None:
    """Bring back what `hachat backup` has written to FILE; - is the standard input.

    It is read whole before anything is written. What is there already stays, unless --replace is given; timers whose
    time has passed are left out. Doing it twice changes nothing more. Exits with 2 if FILE is no whole backup.
    """
    settings = read_settings(config)
    header, records = _load(file)
    click.echo(
        f"{file}: a backup of the cluster {header.cluster} by hachat {header.version},"
        f" {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(header.at))}"
    )
    if dry_run:
        for kind, count in sorted(Counter(_name(record) for record in records).items()):
            click.echo(f"{kind}: {count}")
        return
    fates = trio.run(_restore, settings, records, replace)
    for (kind, fate), count in sorted(fates.items()):
        click.echo(f"{kind}: {count} {fate}")
    if not fates:
        click.echo("it is empty")


def _open(settings: Settings, link: Link) -> Archive:
    return Archive(link, Keys(settings.cluster), sorted({*settings.chat, "console"}))


def _write(file: Path, lines: Iterable[bytes]) -> None:
    """Write a file that takes its name once it is whole."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as raw:
            if file.suffix == ".gz":
                with gzip.GzipFile(filename="", fileobj=raw, mode="wb") as packed:
                    packed.writelines(lines)
            else:
                raw.writelines(lines)
            raw.flush()
            os.fsync(raw.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _load(file: Path) -> tuple[Header, list[Record]]:
    """Return what a whole backup says.

    Raises:
        UsageError: it cannot be read, or is none; says why.
    """
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        header, *records = read_lines(_read_lines(data))
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {file}: {error}") from error
    assert isinstance(header, Header)
    return header, [record for record in records if not isinstance(record, Header)]


def _read_lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines of what may be compressed."""
    source = io.BytesIO(gzip.decompress(data) if data.startswith(_GZIP) else data)
    while line := source.readline(MAX_LINE + 1):
        yield line


def _name(record: Record) -> str:
    return str(record.__struct_config__.tag)


async def _read(settings: Settings) -> list[Record]:
    async with open_link(settings) as link:
        return await _open(settings, link).read()


async def _restore(
    settings: Settings,
    records: list[Record],
    replace: bool,  # noqa: FBT001 - trio.run passes no names
) -> Counter[tuple[str, Fate]]:
    async with open_link(settings) as link:
        return await _open(settings, link).write(records, replace=replace)
