"""The daemon of a server: its name, its settings, and where it runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.whole.cluster import Daemon
from tests.whole.drills.ground import Loopback

ROOMS = tuple(f"#room-{number}" for number in range(5))

WEB = 8080
"""Where each listens for HTTP."""

# A Redis whose clock jumps by an hour forgets what it was to remember for an hour, and the chat server plays lines again.
_SETTINGS = """
cluster = "drill"
node = "{node}"
handlers = ["tests.whole.handlers"]
[redis]
sentinels = [{sentinels}]
replicas = 1
[queue]
dedupe = 14400.0
[worker]
heartbeat = 1.0
node_ttl = 5.0
[web]
host = "{address}"
port = {web}
[log]
format = "json"
[chat.irc]
host = "{chat}"
port = {port}
nick = "{node}"
channels = [{channels}]
burst = 10000
interval = 0.0001
"""


def node_of(number: int) -> str:
    """Return the name of the node on a server."""
    return f"node-{number}"


def make_daemon(
    folder: Path, number: int, ground: Loopback, chat: int, sentinels: Iterable[str]
) -> Daemon:
    """Write the settings of a server's node, and return its daemon, not started."""
    node, place = node_of(number), folder / f"server-{number}"
    file = place / "hachat.toml"
    file.write_text(
        _SETTINGS.format(
            node=node,
            sentinels=", ".join(f'"{address}"' for address in sentinels),
            address=f"{ground.net}.0.{number}",
            web=WEB,
            chat=ground.chat,
            port=chat,
            channels=", ".join(f'"{room}"' for room in ROOMS),
        )
    )
    return Daemon(node, file, place / "hachat.log", before=ground.command(number, []))
