"""What admins are told in their room, by real daemons."""

from __future__ import annotations

from pathlib import Path

import trio

from hachat.core.messages import Reply
from hachat.store.console import listen
from tests.store.letters import bury, message
from tests.waiting import until
from tests.whole.cluster import HASTY, Cluster, run_cluster

SETTINGS = f"""{HASTY}
[bot]
admins_room = "console/admins"
[chat.console]
"""


class Room:
    """The room of the admins; `lines` are what was said there."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.lines: list[str] = []

    async def listen(self) -> None:
        """Hear what is said, for ever."""
        async with listen(self._cluster.link, self._cluster.keys, {"admins": "0"}) as entries:
            async for entry in entries:
                self.lines.append(entry.said.line)

    def count(self, words: str) -> int:
        """Return how many lines begin with these words."""
        return sum(line.startswith(words) for line in self.lines)


async def is_noticed(cluster: Cluster, *subjects: str) -> bool:
    """Tell whether it is known how far these have been told."""
    known = await cluster.link.command("HKEYS", cluster.keys.of("noticed"))
    return {subject.encode() for subject in subjects} <= set(known)


async def test_admins_hear_of_failures_and_failovers_once(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    """A storm is two lines, the death of a master one, a planned hand-over none; and nobody is told twice by the next master."""
    async with run_cluster(tmp_path, nodes=("node-1", "node-2"), settings=SETTINGS) as cluster:
        room = Room(cluster)
        nursery.start_soon(room.listen)
        await until(lambda: is_noticed(cluster, "dead", "masters"), 20.0)

        for number in range(1000):
            await bury(cluster.link, cluster.keys, message(number), "ValueError: no")
        await bury(cluster.link, cluster.keys, Reply("notice/1", "console/admins", "x"), "no")
        await until(lambda: room.count("Given up in t/ops"), 20.0)

        old = await cluster.kill_master()
        await until(lambda: room.count("The master failed over to "), 30.0)
        await until(lambda: sum(map(count_letters, room.lines)) == 1000, 20.0)

        cluster.restart(old)
        await cluster.wait_complete()
        await cluster.hand_over()
        await until(lambda: is_told_of_all(cluster), 20.0)

        assert room.count("Given up") <= 2, room.lines
        assert room.count("The master failed over to ") == 1, room.lines
        nursery.cancel_scope.cancel()


def count_letters(line: str) -> int:
    """Return of how many dead letters a line tells."""
    if not line.startswith("Given up"):
        return 0
    _, found, rest = line.partition("t/ops: ")
    words = rest.split()
    return int(words[0].replace(",", "")) if found and words[1:2] == ["dead"] else 1


async def is_told_of_all(cluster: Cluster) -> bool:
    """Tell whether the present master has looked at the history."""
    told = await cluster.link.command("HGET", cluster.keys.of("noticed"), "masters")
    epoch = (await cluster.status()).epoch
    return told is not None and int(told) == epoch
