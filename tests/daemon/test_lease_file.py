"""The file that tells what a daemon held, and whose it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hachat.core.redis_settings import RedisSettings
from hachat.core.settings import Settings
from hachat.daemon.lease_file import introduce, lives, locate, read, write

SETTINGS = Settings(node="n1", redis=RedisSettings(sentinels=("a:1", "b:2"), password="s3cret"))


def test_it_lies_in_the_first_runtime_directory() -> None:
    """Several are separated with colons; without any there is no file."""
    assert locate({"RUNTIME_DIRECTORY": "/run/a:/run/b"}) == Path("/run/a/lease")
    assert locate({}) is None


def test_what_is_written_is_read_and_only_by_this_user(tmp_path: Path) -> None:
    """The file is whole, private whatever the umask, and nothing else is left in the directory."""
    held = introduce(SETTINGS, "b1")._replace(token="n1/b1/0.1")
    before = os.umask(0)
    try:
        write(tmp_path / "lease", held)
        write(tmp_path / "lease", held)
    finally:
        os.umask(before)

    assert read(tmp_path / "lease") == held
    assert (tmp_path / "lease").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["lease"]


def test_a_file_that_is_half_written_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """A process that died while it wrote left its attempt; the next one writes all the same."""
    (tmp_path / "lease.new").write_text("{")

    write(tmp_path / "lease", introduce(SETTINGS, "b1"))

    assert read(tmp_path / "lease") == introduce(SETTINGS, "b1")


def test_no_file_holds_nothing(tmp_path: Path) -> None:
    """It is the normal end of a daemon."""
    assert read(tmp_path / "lease") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"node": "n1"}'])
def test_something_else_is_told_from_it(text: str, tmp_path: Path) -> None:
    """What is no such file is a ValueError, whatever it is."""
    (tmp_path / "lease").write_text(text)

    with pytest.raises(ValueError, match=r".+"):
        read(tmp_path / "lease")


def test_a_process_lives_until_it_is_gone() -> None:
    """This one lives; one that ended and was waited for does not."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        stat = Path(f"/proc/{child.pid}/stat").read_text()
        began = stat.rpartition(")")[2].split()[19]
        other = introduce(SETTINGS, "b1")._replace(pid=child.pid, began=began)
        assert lives(other)
        child.kill()
        child.wait()

    assert lives(introduce(SETTINGS, "b1"))
    assert not lives(other)


def test_another_process_with_its_number_is_not_it() -> None:
    """A pid that is used again began at another time."""
    assert not lives(introduce(SETTINGS, "b1")._replace(began="1"))
