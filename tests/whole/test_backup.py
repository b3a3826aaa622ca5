"""A backup restored into a Redis that a daemon works with, as it runs in production."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import msgspec

from hachat.core.backup import End, Header, Record, Timer, Value, write_line
from hachat.core.messages import Job
from hachat.store.embedded import Server
from tests.whole.test_daemon import run_daemon, settings_for

HANDLER = """
from hachat import Handler, job


class Reminders(Handler):
    @job
    async def ring(self, ctx, data):
        ctx.log.info("rang", what=data, total=await ctx.memory.get("total"))
"""


def test_what_is_restored_is_there_for_a_node_that_runs(server: Server, tmp_path: Path) -> None:
    """A timer of the backup rings, once, and finds what its handler remembered; restored again it does not."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "reminders.py").write_text(HANDLER)
    file = tmp_path / "backup"
    with run_daemon(tmp_path, settings_for(server.url)) as daemon:
        daemon.wait_for("ready")
        due = time.time() + 3
        records: list[Record] = [
            Value("reminders", "total", msgspec.Raw(b"7")),
            Timer("reminders/tea", due, Job("J1", "reminders.ring", due, '"tea"')),
        ]
        lines = [Header("gone", 1.0, "0.1.0"), *records, End(len(records))]
        file.write_bytes(b"".join(map(write_line, lines)))

        assert restore(tmp_path, file) == "memory: 1 written\ntimer: 1 written\n"
        rang = daemon.wait_for("rang")
        assert (rang["what"], rang["total"]) == ("tea", 7)
        assert restore(tmp_path, file) == "memory: 1 there already\ntimer: 1 over\n"
        assert len(daemon.lines("rang")) == 1


def restore(folder: Path, file: Path) -> str:
    """Return what `hachat restore` prints below its first line."""
    command = [sys.executable, "-m", "hachat", "restore", str(file)]
    settings = ["--config", str(folder / "hachat.toml")]
    done = subprocess.run([*command, *settings], capture_output=True, text=True, check=True)
    return done.stdout.partition("\n")[2]
