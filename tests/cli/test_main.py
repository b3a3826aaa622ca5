"""The command as a whole: versions, help, errors in a sentence, exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from hachat import __version__
from hachat.cli.commands import main
from hachat.store.embedded import Server, free_port


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own, and a logging that stays as it is."""
    monkeypatch.chdir(tmp_path)
    with patch("hachat.daemon.logging.configure"):
        yield


def invoke(*arguments: str) -> Result:
    """Run the command in this process, which is forty times cheaper than one of its own; no error gets out of it."""
    done = CliRunner().invoke(main, arguments)
    assert isinstance(done.exception, SystemExit | None), done.exception
    return done


def hachat(*arguments: str, cwd: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "hachat", *arguments],
        cwd=cwd,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write(folder: Path, url: str, more: str = "") -> Path:
    """Write the settings of a node at that Redis."""
    file = folder / "hachat.toml"
    file.write_text(
        f'cluster = "cli-{free_port()}"\nnode = "n1"\n[redis]\nurl = "{url}"\n[web]\nport = 0\n{more}'
    )
    return file


def test_the_version_is_told(tmp_path: Path) -> None:
    """`hachat --version` names the release."""
    done = hachat("--version", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, f"hachat, version {__version__}\n")


@pytest.mark.parametrize(
    "command",
    [
        *("run", "status", "queue", "trace", "dead", "jobs", "step-down", "console", "say"),
        *("release", "check", "demo"),
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    """`--help` works without settings and without Redis."""
    done = invoke(command, "--help")

    assert done.exit_code == 0
    assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        *(("run",), ("status",), ("step-down",), ("say", "x"), ("console",), ("check",)),
        *(("jobs", "list"), ("jobs", "cancel", "x")),
        *(("queue",), ("trace", "x"), ("dead", "list"), ("dead", "drop", "1-0")),
    ],
)
def test_without_settings_it_says_where_it_looked(command: tuple[str, ...]) -> None:
    """A missing file is an error in a sentence, with the usage exit code."""
    done = invoke(*command)

    assert done.exit_code == (78 if command == ("run",) else 2)
    assert "no settings file" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("section", ["[lease]\nrenew = 4\n", '[chat.irc]\nhots = "x"\n'])
def test_a_node_with_settings_that_cannot_work_is_not_restarted(
    section: str, tmp_path: Path
) -> None:
    """`run` ends with 78, which the systemd unit takes for final, and says what to mend."""
    write(tmp_path, "redis://127.0.0.1:1", section)

    done = hachat("run", cwd=tmp_path)

    assert done.returncode == 78
    assert "fault(s)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        *(("status",), ("step-down",), ("say", "x"), ("console",), ("jobs", "list")),
        *(("queue",), ("trace", "x"), ("dead", "show", "1-0"), ("dead", "retry", "1-0")),
    ],
)
def test_a_redis_that_is_away_is_exit_code_5(command: tuple[str, ...], tmp_path: Path) -> None:
    """No command hangs on a Redis that is not there."""
    write(tmp_path, f"redis://127.0.0.1:{free_port()}")
    began = monotonic()

    done = invoke(*command)

    assert done.exit_code == 5
    assert done.stderr.startswith("hachat: Redis")
    assert monotonic() - began < 30, "loose, for busy machines: it means to be three seconds"


def test_a_process_of_its_own_says_the_same(tmp_path: Path) -> None:
    """From a shell an error is a sentence too, and no traceback."""
    write(tmp_path, f"redis://127.0.0.1:{free_port()}")

    done = hachat("status", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("hachat: Redis")
    assert "Traceback" not in done.stderr


def test_a_cluster_nobody_runs_has_no_master(server: Server, tmp_path: Path) -> None:
    """`status` needs no daemon, and says 3."""
    write(tmp_path, server.url)

    done = invoke("status")

    assert done.exit_code == 3
    assert "no node is alive" in done.stdout


def test_nobody_can_step_down_without_a_master(server: Server, tmp_path: Path) -> None:
    """The reason is said, and nothing on stdout."""
    write(tmp_path, server.url)

    done = invoke("step-down")

    assert done.exit_code == 3
    assert "nobody is master" in done.stderr
