"""The daemon as a process: how it starts, what signals do, how it ends, and what the service manager hears."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hachat.store.embedded import Server, free_port, run_server
from tests.waiting import until_sync


class Process:
    """One daemon; its log lines are JSON."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Return the log lines so far, or those of one event."""
        lines = [
            json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")
        ]
        return [line for line in lines if not event or line["event"] == event]

    def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        """Return the line of the `count`-th `event`, once it is logged."""
        until_sync(lambda: len(self.lines(event)) >= count, 15.0)
        return self.lines(event)[count - 1]

    def wait_for_url(self) -> str:
        """Return where it serves HTTP."""
        return str(self.wait_for("serving")["http"])

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Return its exit code."""
        return self.process.wait(15.0)


@contextmanager
def run_daemon(
    directory: Path, settings: str, environ: dict[str, str] | None = None
) -> Iterator[Process]:
    """Run a daemon until it ends, or the block does."""
    file = directory / "hachat.toml"
    file.write_text(settings)
    log = directory / f"{len(list(directory.iterdir()))}.log"
    command = [sys.executable, "-m", "hachat", "run", "--config", str(file)]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stderr=sink, env={**os.environ, **(environ or {})})
    try:
        yield Process(process, log)
    finally:
        process.kill()
        process.wait()


def settings_for(url: str, more: Sequence[str] = ()) -> str:
    """Return the settings of a node at that Redis, with a cluster of its own."""
    head = [f'cluster = "daemon-{free_port()}"', 'node = "n1"']
    return "\n".join([*head, *more, "[redis]", f'url = "{url}"', "[web]", "port = 0", ""])


def test_it_leaves_gracefully_when_told_to(server: Server, tmp_path: Path) -> None:
    """On SIGTERM the lease is given back and the exit code is 0."""
    with run_daemon(tmp_path, settings_for(server.url)) as daemon:
        daemon.wait_for("took the lease")

        daemon.signal(signal.SIGTERM)

        assert daemon.wait() == 0
        assert daemon.wait_for("the term is over")["reason"] == "shutdown"
        assert daemon.lines()[-1]["event"] == "left"


def test_every_line_names_node_and_role(server: Server, tmp_path: Path) -> None:
    """Log lines are JSON away from a terminal and say who wrote them, and as what."""
    with run_daemon(tmp_path, settings_for(server.url)) as daemon:
        daemon.wait_for("took the lease")

        assert all(line["node"] == "n1" for line in daemon.lines())
        assert {line["role"] for line in daemon.lines()} == {"standby", "master"}


def test_a_second_signal_ends_it_at_once(server: Server, tmp_path: Path) -> None:
    """Who does not want to wait for handlers says so by a second signal."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "slow.py").write_text(
        "import trio\nfrom hachat import Handler, hook\n\n\nclass Slow(Handler):\n"
        '    @hook.post("/slow")\n    async def slow(self, ctx):\n'
        '        ctx.log.warning("in hand")\n        await trio.sleep(60)\n'
    )
    with run_daemon(tmp_path, settings_for(server.url)) as daemon:
        url = daemon.wait_for_url()
        daemon.wait_for("ready")
        httpx.post(f"{url}/hooks/slow").raise_for_status()
        daemon.wait_for("in hand")

        daemon.signal(signal.SIGTERM)
        daemon.wait_for("leaving")
        daemon.signal(signal.SIGINT)

        assert daemon.wait() == 128 + signal.SIGINT


def test_it_waits_for_redis(tmp_path: Path) -> None:
    """Started before Redis it is healthy and not ready, and joins when Redis is there."""
    port = free_port()
    with run_daemon(tmp_path, settings_for(f"redis://127.0.0.1:{port}")) as daemon:
        url = daemon.wait_for_url()
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/readyz").status_code == 503

        with run_server(tmp_path / "valkey", port=port):
            daemon.wait_for("took the lease")
            assert httpx.get(f"{url}/readyz").status_code == 200
            assert httpx.get(f"{url}/master").status_code == 200

            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0


def test_it_can_leave_while_it_waits_for_redis(tmp_path: Path) -> None:
    """A node that never met its Redis leaves like any other."""
    with run_daemon(tmp_path, settings_for(f"redis://127.0.0.1:{free_port()}")) as daemon:
        daemon.wait_for("serving")

        daemon.signal(signal.SIGTERM)

        assert daemon.wait() == 0


def test_a_namesake_of_a_living_node_ends(server: Server, tmp_path: Path) -> None:
    """The later process of one name exits with 78, and the earlier one goes on."""
    settings = settings_for(server.url) + "[worker]\nheartbeat = 0.3\nnode_ttl = 1.0\n"
    with run_daemon(tmp_path, settings) as first:
        first.wait_for("ready")
        with run_daemon(tmp_path, settings) as second:
            assert second.wait() == 78
            assert (
                "another living process runs as node 'n1'" in second.wait_for("cannot run")["error"]
            )
        assert first.process.poll() is None


def test_a_port_in_use_is_said_in_a_sentence(server: Server, tmp_path: Path) -> None:
    """A node that cannot bind its address ends with 1 and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = settings_for(server.url).replace("port = 0", f"port = {port}")
        with run_daemon(tmp_path, settings) as daemon:
            assert daemon.wait() == 1
            told = daemon.wait_for("cannot run")
            assert "exception" not in told
            assert (
                f"cannot listen on 127.0.0.1:{port}, which web.host and web.port name"
                in told["error"]
            )


def test_settings_are_read_again(server: Server, tmp_path: Path) -> None:
    """SIGHUP takes over what may change, says what needs a restart, and keeps the old settings over bad ones."""
    settings = settings_for(server.url)
    with run_daemon(tmp_path, settings) as daemon:
        daemon.wait_for("ready")
        (tmp_path / "hachat.toml").write_text("clutser = 1")
        daemon.signal(signal.SIGHUP)
        refused = daemon.wait_for("the settings were not read again; the old ones stay")

        (tmp_path / "hachat.toml").write_text(
            settings.replace("port = 0", "port = 1\n[queue]\ndepth = 7")
        )
        daemon.signal(signal.SIGHUP)
        again = daemon.wait_for("settings read again")

        assert "did you mean cluster?" in refused["error"]
        assert again["applied"] == ["queue.depth"]
        assert again["after_a_restart"] == ["web.port"]


def test_a_handler_that_does_not_load_is_named(server: Server, tmp_path: Path) -> None:
    """One broken plugin is reported and the node runs without it."""
    with run_daemon(tmp_path, settings_for(server.url, ['handlers = ["no.such:Thing"]'])) as daemon:
        daemon.wait_for("ready")

        assert "no.such:Thing" in daemon.wait_for("a handler was not loaded")["error"]


def test_the_service_manager_is_told(server: Server, tmp_path: Path) -> None:
    """READY, STATUS, WATCHDOG and STOPPING arrive at the socket systemd names."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(address)
        notify.settimeout(10.0)
        environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
        heard: list[str] = []
        with run_daemon(tmp_path, settings_for(server.url), environ) as daemon:
            while (
                not any(line.startswith("STATUS=master") for line in heard)
                or heard.count("WATCHDOG=1") < 2
            ):
                heard.append(notify.recv(4096).decode())
            daemon.signal(signal.SIGTERM)
            while "STOPPING=1" not in heard:
                heard.append(notify.recv(4096).decode())
            assert daemon.wait() == 0

    assert "READY=1" in heard


@pytest.mark.parametrize(
    ("body", "code"), [(b'{"app": "shop"}', 202), (b'{"app": ', 400), (b'{"app": 1}', 400)]
)
def test_a_webhook_reaches_its_handler(
    server: Server, tmp_path: Path, body: bytes, code: int
) -> None:
    """What is accepted is handled, with its body typed; what is not JSON, or not the right one, is refused."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "deploys.py").write_text(
        "from msgspec import Struct\nfrom hachat import Handler, hook\n\n\nclass Deployed(Struct):\n    app: str\n\n\n"
        'class Deploys(Handler):\n    @hook.post("/deployed")\n    async def deployed(self, ctx, event: Deployed):\n'
        '        ctx.log.warning("deployed", app=event.app)\n'
    )
    with run_daemon(tmp_path, settings_for(server.url)) as daemon:
        url = daemon.wait_for_url()
        daemon.wait_for("ready")

        answer = httpx.post(f"{url}/hooks/deployed", content=body)

        assert answer.status_code == code, answer.text
        if code == 202:
            assert daemon.wait_for("deployed")["app"] == "shop"
            assert daemon.lines("deployed")[0]["message"] == answer.json()["id"]
