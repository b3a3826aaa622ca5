"""Files that are written whole or not at all, and files that are read more than once."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from hachat.core.errors import UsageError

STANDARD = Path("-")
"""Stands for the standard input or output."""

_GZIP = b"\x1f\x8b"


@contextmanager
def writing(file: Path) -> Iterator[BinaryIO]:
    """Lend something to write into; `file` is there once all is written, for its owner alone, compressed if it ends in .gz.

    Raises:
        UsageError: it cannot be written; what was there before still is.
    """
    if file.exists() and not file.is_file():
        raise UsageError(f"cannot write {file}: it is there, and no file; name another one, or -")
    try:
        with ExitStack() as stack:
            raw = sys.stdout.buffer if file == STANDARD else _draft(file, stack)
            if file.suffix == ".gz":
                with gzip.GzipFile(filename="", fileobj=raw, mode="wb") as packed:
                    yield cast("BinaryIO", packed)
            else:
                yield raw
            raw.flush()
            if file != STANDARD:
                os.fsync(raw.fileno())
                Path(raw.name).replace(file)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror or error}") from error


def _draft(file: Path, stack: ExitStack) -> BinaryIO:
    """Return a file beside `file`, with mode 0600, that goes away at the end unless it has taken another name."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    stack.callback(Path(name).unlink, missing_ok=True)
    return stack.enter_context(open(name, "r+b", opener=lambda *_: handle))


@contextmanager
def reading(file: Path) -> Iterator[BinaryIO]:
    """Lend what `file` holds, so that it can be read from the beginning as often as one likes.

    Raises:
        UsageError: it cannot be read.
    """
    with ExitStack() as stack:
        try:
            source = sys.stdin.buffer if file == STANDARD else stack.enter_context(file.open("rb"))
            if not source.seekable() or file == STANDARD:
                copy = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(source, copy)
                source = cast("BinaryIO", copy)
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
        yield source


def read_lines(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """Yield the lines of a file from its beginning, unpacked if it is compressed, each cut where it is longer than `longest` bytes.

    Raises:
        UsageError: it cannot be read, or was cut off.
    """
    try:
        file.seek(0)
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        source = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
        while line := source.readline(longest):
            yield line
    except EOFError:
        raise UsageError("it was cut off; take one that is whole") from None
    except (OSError, zlib.error) as error:
        raise UsageError(f"it cannot be read: {error}; take another one") from None
