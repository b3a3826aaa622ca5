"""`hachat demo`: a whole cluster on this machine, and a chat with it."""

from __future__ import annotations

import fcntl
import getpass
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TextIO

import click
import trio

from hachat.cli.console import chat
from hachat.cli.options import open_link
from hachat.core.errors import UsageError
from hachat.core.settings import Settings
from hachat.daemon.configuration import load
from hachat.store.embedded import run_child, run_server
from hachat.store.keys import Keys
from hachat.store.status import read_status

FOLDER = Path(".demo")
"""Where a demo keeps its settings, its logs and its Redis."""

_START = 20.0
"""Seconds the nodes have to start and elect a master."""

_GRACE = 5.0
"""Seconds the nodes have to leave."""

_AGAIN = 0.05

_SETTINGS = """\
cluster = "demo"
node = "node-{number}"

[redis]
url = "{url}"

[web]
port = 0
"""

Nodes = Sequence["subprocess.Popen[bytes]"]


@click.command()
@click.option(
    "--nodes", type=click.IntRange(1, 9), default=3, show_default=True, help="How many to run."
)
def demo(nodes: int) -> None:
    """Run a Redis and a cluster of nodes on this machine, and chat with it.

    Everything is in the folder .demo and ends with the chat, as `hachat console` does.
    """
    _end_as_by_ctrl_c()
    _forget_overrides()
    with (
        _reserve(FOLDER),
        run_server(FOLDER / "valkey", password=secrets.token_urlsafe()) as server,
    ):
        files = [_write_settings(FOLDER, number, server.url) for number in range(1, nodes + 1)]
        settings = load(files[0], {})
        with _run_nodes(files) as running:
            trio.run(_wait_until_ready, settings, running)
            _explain(files, running)
            code = trio.run(chat, settings, "", getpass.getuser())
    sys.exit(code)


def _end_as_by_ctrl_c() -> None:
    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    # A shell has what it starts in the background ignore Ctrl-C, and then there would be no way to end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _forget_overrides() -> None:
    """Let the demo's files have the last word, here and in its nodes."""
    for name in [name for name in os.environ if name.startswith("HACHAT__")]:
        del os.environ[name]


@contextmanager
def _reserve(folder: Path) -> Iterator[None]:
    """Keep other demos out of the folder and clear away what an earlier one left."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"a demo runs in {folder.resolve()} already; leave it, or start this one elsewhere"
            ) from None
        for old in folder.glob("node-*"):
            old.unlink()
        yield


def _write_settings(folder: Path, number: int, url: str) -> Path:
    file = folder / f"node-{number}.toml"
    with _open_private(file) as sink:
        sink.write(_SETTINGS.format(number=number, url=url))
    return file


def _open_private(file: Path) -> TextIO:
    return open(file, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))


@contextmanager
def _run_nodes(files: Sequence[Path]) -> Iterator[Nodes]:
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                run_child(
                    [sys.executable, "-m", "hachat", "run", "--config", str(file)],
                    output=file.with_suffix(".log"),
                )
            )
            for file in files
        ]
        try:
            yield nodes
        finally:
            _ask_to_leave(nodes)


def _ask_to_leave(nodes: Nodes) -> None:
    """Have all nodes leave at once; whoever stays is ended by `run_child`."""
    give_up = monotonic() + _GRACE
    for node in nodes:
        node.terminate()
        node.send_signal(signal.SIGCONT)
    for node in nodes:
        with suppress(subprocess.TimeoutExpired):
            node.wait(max(0.0, give_up - monotonic()))


async def _wait_until_ready(settings: Settings, nodes: Nodes) -> None:
    async with open_link(settings) as link:
        with trio.move_on_after(_START):
            while all(node.poll() is None for node in nodes):
                status = await read_status(link, Keys(settings.cluster))
                if status.master and len(status.nodes) == len(nodes):
                    return
                await trio.sleep(_AGAIN)
        raise UsageError(f"the nodes did not start; their logs are {FOLDER}/node-*.log")


def _explain(files: Sequence[Path], nodes: Nodes) -> None:
    lines = [f"{len(nodes)} nodes run, with settings and logs in {FOLDER}:"]
    lines += [f"  {file.stem}, pid {node.pid}" for file, node in zip(files, nodes, strict=True)]
    lines += [
        f"In another terminal: hachat status --watch --config {files[0]}",
        "Every other command takes that --config too; kill -9 the master to see another take over.",
    ]
    click.echo("\n".join(lines), err=True)
