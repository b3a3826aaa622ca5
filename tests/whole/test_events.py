"""Events and start-up jobs with daemons as they run in production."""

from __future__ import annotations

import signal
from pathlib import Path

from hachat.store.embedded import Server
from tests.waiting import until_sync
from tests.whole.test_daemon import Process, run_daemon, settings_for

HANDLER = """
from hachat import Handler, every, on, startup


class Watch(Handler):
    @startup
    async def start(self, ctx):
        ctx.log.info("started the cluster")
        await ctx.publish("Started", {"by": ctx.bot.node})

    @on("started")
    async def started(self, ctx, data: dict[str, str]):
        ctx.log.info("told of the start", by=data["by"])

    @on("node joined")
    async def joined(self, ctx, data: dict[str, str]):
        ctx.log.info("told", what=f"{data['node']} joined")

    @on("node left")
    async def left(self, ctx, data: dict[str, str]):
        ctx.log.info("told", what=f"{data['node']} left")

    @on("master gained")
    async def gained(self, ctx, data: dict[str, str]):
        ctx.log.info("told", what=f"{data['node']} is master")
"""


def told(*daemons: Process) -> list[str]:
    """Return what handlers were told, by whichever daemon."""
    return sorted(line["what"] for daemon in daemons for line in daemon.lines("told"))


def test_what_happens_is_told_once(server: Server, tmp_path: Path) -> None:
    """The first of two nodes starts the cluster; that nodes come, that one dies and another is master is told once each."""
    first, second = tmp_path / "first", tmp_path / "second"
    settings = settings_for(server.url) + "\n[worker]\nheartbeat = 0.5\nnode_ttl = 2.0\n"
    for folder in (first, second):
        (folder / "handlers").mkdir(parents=True)
        (folder / "handlers" / "watch.py").write_text(HANDLER)
    with (
        run_daemon(first, settings) as n1,
        run_daemon(second, settings.replace('"n1"', '"n2"')) as n2,
    ):
        n1.wait_for("ready")
        n2.wait_for("ready")
        until_sync(lambda: len(told(n1, n2)) >= 3, 15.0)
        until_sync(lambda: n1.lines("told of the start") or n2.lines("told of the start"), 15.0)
        starts = [*n1.lines("started the cluster"), *n2.lines("started the cluster")]
        heard = told(n1, n2)
        n1.signal(signal.SIGKILL)
        n1.process.wait()
        until_sync(lambda: "n1 left" in told(n1, n2), 30.0)

        assert len(starts) == 1
        assert [heard.count(f"{node} joined") for node in ("n1", "n2")] == [1, 1]
        assert told(n2).count("n1 left") == 1
