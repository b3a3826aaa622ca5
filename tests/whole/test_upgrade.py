"""Two releases share one queue: a rolling upgrade and its way back lose nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import trio

import hachat
from hachat.core.wire import VERSION
from tests.whole.cluster import Cluster, run_cluster
from tests.whole.oracle import Typist

RATE = 20.0
"""Lines a second."""

CHANGES = (
    ("core/wire.py", f"VERSION = {VERSION}\n", f"VERSION = {VERSION + 1}\n"),
    (
        "core/messages.py",
        '    receipt: bool = False\n    key: str = ""\n',
        '    receipt: bool = False\n    mood: str = ""\n    key: str = ""\n',
    ),
    (
        "chat/console.py",
        "        receipt=True,\n",
        f"        receipt=True,\n        mood='fine',\n        v={VERSION + 1} if hash(line.id) % 3 == 0 else 1,\n",
    ),
)
"""What the next release does differently: a new field in each message, and a third of them only it understands."""


def make_next_release(folder: Path) -> Path:
    """Return a folder with the code of a release that is ahead of ours."""
    package = folder / "hachat"
    shutil.copytree(Path(hachat.__file__).parent, package)
    for name, old, new in CHANGES:
        text = (package / name).read_text()
        assert text.count(old) == 1, f"{name} no longer has {old!r}"
        (package / name).write_text(text.replace(old, new))
    return folder


async def change_release(cluster: Cluster, name: str, release: Path | None) -> None:
    """Let a node leave and come back with other code, as a rolling upgrade does."""
    daemon = cluster.daemons[name]
    await trio.to_thread.run_sync(daemon.leave)
    daemon.release = release
    cluster.restart(name)
    await cluster.wait_complete()


async def test_a_rolling_upgrade_and_back_lose_nothing(tmp_path: Path) -> None:
    """Node by node to the next release and, while older ones still run, back: each line is answered once, in order."""
    new = make_next_release(tmp_path / "next")
    async with run_cluster(tmp_path, nodes=("node-1", "node-2")) as cluster:
        typist = Typist(cluster)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(typist.type_for_ever, RATE)
            await change_release(cluster, "node-2", new)
            await cluster.hand_over()
            await trio.sleep(2.0)
            await cluster.hand_over()
            await change_release(cluster, "node-1", new)
            await trio.sleep(1.0)
            nursery.cancel_scope.cancel()
        account = await typist.settle(within=20.0)
        status = await cluster.status()
        understood = [daemon.log.read_text() for daemon in cluster.daemons.values()]

    assert account.typed
    assert account.fine, account
    assert status.dead_letters == 0
    assert any("left to a newer node" in log for log in understood)
