"""Files that are written whole or not at all, and read as often as one likes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hachat.cli.files import read_lines, reading, writing
from hachat.core.errors import UsageError


@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_what_was_written_is_read_again_and_again(tmp_path: Path, name: str) -> None:
    """In lines that are cut where they are too long."""
    with writing(tmp_path / name) as out:
        out.write(b"one\nthree\nfour")
        assert not (tmp_path / name).exists()
    with reading(tmp_path / name) as file:
        for _ in range(2):
            assert list(read_lines(file, 4)) == [b"one\n", b"thre", b"e\n", b"four"]


def test_what_was_not_finished_leaves_the_file_before(tmp_path: Path) -> None:
    """Whatever it was that came between, and nothing else."""
    (tmp_path / "a").write_text("before")

    def interrupt() -> None:
        with writing(tmp_path / "a") as out:
            out.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a", "before")]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A file that is not there, and one that was packed and broken."""
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"), reading(tmp_path / "a"):
        pass
    packed = bytearray(gzip.compress(b"line\n" * 100))
    for broken, why in (
        (packed[:-3], "cut off"),
        (packed[:-8] + b"\0" * 8, "cannot be read: CRC check failed"),
        (packed[:12] + b"\xff" * 10 + packed[22:], "cannot be read"),
        (packed + b"more", "cannot be read: Not a gzipped file"),
    ):
        (tmp_path / "a").write_bytes(broken)
        with reading(tmp_path / "a") as file, pytest.raises(UsageError, match=why):
            list(read_lines(file, 100))
