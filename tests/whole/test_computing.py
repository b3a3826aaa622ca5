"""Processes that compute for a daemon, with a daemon as it runs in production."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest

from hachat.store.embedded import Server
from tests.tasks.test_processes import is_alive
from tests.waiting import until_sync
from tests.whole.test_daemon import Process, run_daemon, settings_for

HANDLER = """
import os
import re
from pathlib import Path

from hachat import Handler, hook


class Spin(Handler):
    @hook.post("/spin", run="process", retry="never", timeout=120)
    def spin(self, ctx, body: dict[str, str]):
        Path(body["file"]).write_text(str(os.getpid()))
        re.match(r"(a+)+$", "a" * 60 + "b")

    @hook.post("/short", run="process", retry="never", timeout=5)
    def short(self, ctx, body: dict[str, str]):
        self.spin(ctx, body)

    @hook.post("/note", run="process")
    def note(self, ctx):
        ctx.log.warning("noted", pid=os.getpid())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a node that has the handler, in a file of its own."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "spin.py").write_text(HANDLER)
    return tmp_path


def start(daemon: Process, path: str, file: Path) -> int:
    """Have the daemon compute, and return the process that does."""
    url = daemon.wait_for_url()
    daemon.wait_for("ready")
    httpx.post(f"{url}/hooks{path}", json={"file": str(file)}).raise_for_status()
    until_sync(lambda: file.exists() and file.read_text() != "", 20.0)
    return int(file.read_text())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_ends_with_its_daemon(
    number: signal.Signals, server: Server, folder: Path
) -> None:
    """However the daemon ends, and however busy the process is."""
    settings = f"{settings_for(server.url)}[worker]\ngrace = 0.5\n"
    with run_daemon(folder, settings) as daemon:
        child = start(daemon, "/spin", folder / "pid")
        assert is_alive(child)
        daemon.signal(number)
        daemon.wait()
        until_sync(lambda: not is_alive(child), 5.0)


def test_a_process_is_killed_at_the_deadline(server: Server, folder: Path) -> None:
    """And the daemon goes on with another one, of which it logs what was logged there."""
    with run_daemon(folder, settings_for(server.url)) as daemon:
        child = start(daemon, "/short", folder / "pid")
        until_sync(lambda: not is_alive(child), 20.0)
        daemon.wait_for("a handler took too long")
        httpx.post(f"{daemon.wait_for_url()}/hooks/note", json={}).raise_for_status()
        line = daemon.wait_for("noted")
        assert line["pid"] not in {child, daemon.process.pid}
        assert line["route"] == "spin.note"
        assert line["node"] == "n1"
        assert is_alive(line["pid"])
