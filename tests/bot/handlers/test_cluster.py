"""Who is master?"""

from __future__ import annotations

import msgspec

from hachat.bot.handlers.cluster import Cluster, ClusterView
from hachat.core.errors import StoreUnavailable
from hachat.store.status import NodeStatus, QueueStatus, Status
from tests.bot.stage import Stage


def status(master: str | None, dead_letters: int) -> Status:
    """Return a cluster of two nodes."""
    roles = {"alpha": "standby", "beta": "master" if master else "dead"}
    return Status(
        cluster="test",
        at=0.0,
        master=master,
        epoch=1,
        since=None,
        lease_left=0.0,
        nodes=[NodeStatus(name, role, 1, "", "0.1.0", 0.0) for name, role in roles.items()],  # type: ignore[arg-type]
        inbound={"chat": QueueStatus(0, None), "work": QueueStatus(3, 4.4)},
        outbound=QueueStatus(1, 0.2),
        dead_letters=dead_letters,
    )


async def say(view: ClusterView) -> list[str]:
    """Ask for the cluster."""

    async def read() -> ClusterView:
        return view

    return await Stage(Cluster(read)).say("hachat cluster")


async def test_cluster() -> None:
    """The master comes first, then the others, then what is waiting."""
    assert await say(status("beta", 0)) == [
        (
            "master: beta\n"
            "beta: master, hachat 0.1.0\n"
            "alpha: standby, hachat 0.1.0\n"
            "waiting: chat 0, work 3 (for 4 s), outbound 1 (for 0 s)"
        )
    ]


async def test_trouble() -> None:
    """No master, dead nodes and dead letters are said."""
    (said,) = await say(status(None, 2))
    assert said.startswith("master: nobody\n")
    assert "beta: dead" in said
    assert said.endswith("\ndead letters: 2")


async def test_what_is_full_is_said_last() -> None:
    """Sentences about what is full, and then about what may be."""
    view = msgspec.structs.replace(status("beta", 2), full=["full"], warnings=["nearly"])

    (said,) = await say(view)

    assert said.endswith("\ndead letters: 2\nfull\nnearly")


async def test_without_redis() -> None:
    """A dead Redis is said in words."""

    async def read() -> ClusterView:
        raise StoreUnavailable("no answer")

    assert await Stage(Cluster(read)).say("hachat cluster") == [
        "Redis does not answer me, so I cannot see the cluster right now."
    ]
