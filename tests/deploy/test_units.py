"""The unit files, checked by systemd's own tools; no service manager has to run for that."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hachat.core.settings import Settings
from hachat.daemon.leaving import longest_leave

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "hachat.service"
BACKUP = Path(__file__).parents[2] / "docs" / "backup.md"
EXPOSURE = 1.5
"""The most that `systemd-analyze security` may find, of 10."""


@pytest.fixture(scope="module")
def analyze() -> str:
    """The path of systemd-analyze; absent it is a skip on a laptop and a failure in CI."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is not installed")
        pytest.skip("systemd-analyze is not installed")
    return tool


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A copy of the unit that starts a program this machine has."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/hachat/bin/hachat", "/bin/true"))
    return copy


def settings(name: str) -> list[str]:
    """Return every value the unit gives to `name`."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_unit_is_understood_without_a_word(analyze: str, unit: Path) -> None:
    """A misspelt option would only be a warning, and then be ignored for ever."""
    done = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["hachat-backup.service", "hachat-backup.timer"])
def test_units_of_the_backup_are_understood_too(analyze: str, tmp_path: Path, name: str) -> None:
    """They stand in their page."""
    for unit, text in re.findall(r"```ini (\S+)\n(.*?)```", BACKUP.read_text(), re.DOTALL):
        (tmp_path / unit).write_text(text)

    done = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / name],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_unit_is_hardened(analyze: str, unit: Path) -> None:
    """The exposure stays under the promised figure."""
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=True,
    )

    found = re.search(r"exposure level for \S+ (\d+\.\d+)", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) <= EXPOSURE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("WatchdogSec", "10"),
        ("Restart", "always"),
        ("RestartPreventExitStatus", "78 64"),
        ("ExecStart", "/opt/hachat/bin/hachat run --config /etc/hachat/hachat.toml"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        (
            "ExecStopPost",
            "-/opt/hachat/bin/hachat release",
        ),
        ("RuntimeDirectory", "hachat"),
        ("StateDirectory", "hachat"),
        ("User", "hachat"),
    ],
)
def test_unit_says_what_the_daemon_relies_on(name: str, value: str) -> None:
    """Each of these is half of an agreement with the daemon."""
    assert settings(name) == [value]


def test_stopping_lasts_as_long_as_leaving_may_take() -> None:
    """The patience of systemd outlasts the grace of handlers and every goodbye, even if Redis is silent and peers are deaf."""
    [seconds] = settings("TimeoutStopSec")

    assert longest_leave(Settings()) < int(seconds)


def test_the_comment_says_how_long_leaving_takes() -> None:
    """Whoever raises the grace reads by how much more to raise the patience."""
    worker = Settings().worker
    rest = longest_leave(Settings()) - worker.grace

    assert (
        f"{worker.grace:g} s to finish ([worker] grace), all goodbyes {rest:g} s"
        in UNIT.read_text()
    )


def test_daemon_can_still_do_its_work() -> None:
    """Hardening leaves it IPv4, IPv6, local sockets and a network."""
    [families] = settings("RestrictAddressFamilies")

    assert {"AF_UNIX", "AF_INET", "AF_INET6"} <= set(families.split())
    assert settings("PrivateNetwork") == []
    assert settings("IPAddressDeny") == []
