"""`hachat demo`: a whole cluster on this machine, and a chat with it."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, TextIO

import click
import msgspec
import trio
from msgspec import to_builtins

from hachat.cli.console import chat
from hachat.cli.options import open_link
from hachat.cli.speaker import Speaker, find_login
from hachat.cli.toml import write
from hachat.core.errors import UsageError
from hachat.core.settings import Settings
from hachat.daemon.configuration import load
from hachat.daemon.logging import NOT_LOADED
from hachat.store.embedded import run_child, run_server
from hachat.store.keys import Keys
from hachat.store.status import read_status

FOLDER = Path(".demo")
"""Where a demo keeps its settings, its logs and its Redis."""

_START = 20.0
"""Seconds the first node has to start and become master."""

_GRACE = 5.0
"""Seconds the nodes have to leave."""

_AGAIN = 0.05

Nodes = Sequence["subprocess.Popen[bytes]"]


@click.command()
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The settings of a bot whose name and handlers the demo is to have.",
)
@click.option(
    "--nodes", type=click.IntRange(1, 9), default=3, show_default=True, help="How many to run."
)
def demo(config: Path | None, nodes: int) -> None:
    """Run a Redis and a cluster of nodes on this machine, and chat with it.

    Everything is in the folder .demo and ends with the chat, as `hachat console` does. Of the settings that --config
    names it takes the bot and its handlers, and leaves Redis and the chat services alone.
    """
    bot = _read_bot(config) if config else {}
    _end_as_by_ctrl_c()
    _forget_overrides()
    with (
        _reserve(FOLDER),
        run_server(FOLDER / "valkey", password=secrets.token_urlsafe()) as server,
    ):
        files = [_write_settings(FOLDER, number, server.url, bot) for number in range(1, nodes + 1)]
        if config:
            _link_handlers(FOLDER, config.parent)
        settings = load(files[0], {})
        with _run_nodes(files[:1]) as first:
            trio.run(_wait_until_ready, settings, first)
            # Whoever waits for the first reply needs a master; the others would take the processor away from it.
            with _run_nodes(files[1:]) as others:
                _explain(files, [*first, *others])
                _tell_faults(files[0].with_suffix(".log"))
                code = trio.run(chat, settings, Speaker(find_login()))
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


def _read_bot(config: Path) -> dict[str, Any]:
    """Return what a demo takes of a bot's settings."""
    settings = load(config, {})
    return {
        "handlers": list(settings.handlers),
        "bot": {**to_builtins(settings.bot), "admins_room": ""},  # of a service that is left alone
        "handler": to_builtins(settings.handler),
    }


def _link_handlers(folder: Path, home: Path) -> None:
    """Let the demo's handlers be those of a bot."""
    ours, theirs = folder / "handlers", home / "handlers"
    if ours.is_symlink():
        ours.unlink()
    if theirs.is_dir() and not ours.exists():
        ours.symlink_to(theirs.resolve(), target_is_directory=True)


def _write_settings(folder: Path, number: int, url: str, bot: Mapping[str, Any]) -> Path:
    file = folder / f"node-{number}.toml"
    settings = {
        "cluster": "demo",
        "node": f"node-{number}",
        **bot,
        "redis": {"url": url},
        "web": {"port": 0},
        "access": {"admins": [f"console/{find_login()}"]},
    }
    with _open_private(file) as sink:
        sink.write("\n".join(write(settings)))
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
                if status.master:
                    return
                await trio.sleep(_AGAIN)
        raise UsageError(f"node-1 did not start; its log is {FOLDER}/node-1.log")


def _tell_faults(log: Path) -> None:
    """Tell which handlers the node of this log could not load; the others cannot either."""
    for line in log.read_text(errors="replace").splitlines():
        if f'"{NOT_LOADED}"' in line:
            click.echo(f"{NOT_LOADED}: {msgspec.json.decode(line)['error']}", err=True)


def _explain(files: Sequence[Path], nodes: Nodes) -> None:
    what = ["is master", *["joins in a moment"] * (len(nodes) - 1)]
    count = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    lines = [f"{count}, with settings and logs in {FOLDER}:"]
    lines += [
        f"  {file.stem} {does}, pid {node.pid}"
        for file, node, does in zip(files, nodes, what, strict=True)
    ]
    lines += [
        f"In another terminal: hachat status --watch --config {files[0]}",
        "Every other command takes that --config too; kill -9 the master to see another take over.",
    ]
    click.echo("\n".join(lines), err=True)
