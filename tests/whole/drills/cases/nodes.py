"""Daemons that die, stand still, leave and come back."""

from __future__ import annotations

import trio

from hachat.cluster.term import read_clock
from hachat.store.status import read_status
from tests.waiting import until
from tests.whole.drills.drill import Drill
from tests.whole.drills.events import Froze
from tests.whole.drills.ground import SERVERS
from tests.whole.drills.lab import Lab
from tests.whole.drills.oracle import Bounds

TTL = 5.0
SPAN = TTL + 0.5
"""Seconds without a master after one that has said nothing.

The bounds here leave room for a machine that does other things besides; `make bench-failover` tells the figures.
"""


async def kill_leader(lab: Lab) -> None:
    """Kill the master, and let the others wait out its lease."""
    leader = await lab.leader()
    await lab.kill(leader)
    await lab.hear()
    lab.start(leader)


async def kill_leader_and_release(lab: Lab) -> None:
    """Kill the master, and do what systemd then does."""
    leader = await lab.leader()
    await lab.kill(leader)
    done = await lab.daemons[leader].give_back()
    assert done.returncode == 0, done
    await lab.hear()
    lab.start(leader)


async def freeze_briefly(lab: Lab) -> None:
    """Stop the master for less than the lease's margin."""
    await lab.freeze(await lab.leader(), 0.4)
    await lab.hear()


async def freeze_for_a_lease(lab: Lab) -> None:
    """Stop the master for about as long as its lease lasts."""
    await lab.freeze(await lab.leader(), TTL)
    await lab.hear()


async def freeze_for_long(lab: Lab) -> None:
    """Stop the master until another has led for a while."""
    await lab.freeze(await lab.leader(), 2 * TTL)
    await lab.hear()


async def step_down(lab: Lab) -> None:
    """Move the lease around, from each node to the next."""
    for _ in range(3):
        await lab.step_down(lab.others(await lab.leader())[0])
        await lab.hear()


async def step_down_once(lab: Lab) -> None:
    """Move the lease to another node."""
    lab.note("step down")
    await lab.step_down(lab.others(await lab.leader())[0])
    await lab.hear()


async def leave(lab: Lab) -> None:
    """Let the master leave in order."""
    leader = await lab.leader()
    await lab.leave(leader)
    await lab.hear()
    lab.start(leader)


async def step_down_to_one_that_dies(lab: Lab) -> None:
    """Have the master asked to hand over to one that has just died: it answers nothing, so the lease stays."""
    leader = await lab.leader()
    heir = lab.others(leader)[0]
    await lab.kill(heir)
    lab.note(f"step down to {heir}, which has just died")
    await lab.request_step_down(heir)
    await lab.hear()
    lab.start(heir)


async def step_down_dying(lab: Lab) -> None:
    """Kill the master as it steps down."""
    leader = await lab.leader()
    lab.note("step down")
    await lab.request_step_down(lab.others(leader)[0])
    await lab.kill(leader)
    await lab.hear()
    lab.start(leader)


async def roll(lab: Lab) -> None:
    """Restart every node in order, twice, waiting for each to be back."""
    for number in (1, 2, 3) * 2:
        await lab.leave(number)
        lab.start(number)
        await until(lambda: is_back(lab, number), 20.0)  # noqa: B023 - awaited here
        await lab.hear()


async def is_back(lab: Lab, number: int) -> bool:
    """Tell whether a node's present process is in the cluster."""
    status = await read_status(lab.link, lab.keys)
    pid = lab.daemons[number].process.pid
    return any(node.pid == pid and node.role != "dead" for node in status.nodes)


async def kill_all(lab: Lab) -> None:
    """Kill all daemons together, and start them together."""
    await lab.kill(*SERVERS)
    for number in SERVERS:
        lab.start(number)
    await lab.hear()


async def block_loop(lab: Lab) -> None:
    """Let a handler block the master's loop for longer than its lease, as often as it takes to meet the master."""
    leader = await lab.leader()
    log = lab.daemons[leader].log
    for _ in range(100):
        lab.note("a handler blocks")
        begun = log.read_text().count('"blocking"')
        lab.network.say("#room-0", f"hachat: block node-{leader} 7")
        with trio.move_on_after(0.3):
            await until(lambda: log.read_text().count('"blocking"') > begun, 2.0)  # noqa: B023
            break
    since = read_clock()
    await until(lambda: '"blocked"' in log.read_text(), 10.0)
    lab.events.append(Froze(at=since, node=f"node-{leader}", until=read_clock()))
    await lab.hear()


DRILLS = (
    Drill("leader-killed", 1, "its lease runs out", kill_leader, Bounds(SPAN + 1, terms=1)),
    Drill(
        "leader-killed-and-released",
        1,
        "systemd gives its lease back",
        kill_leader_and_release,
        Bounds(2.5, terms=1),
    ),
    Drill("leader-frozen-briefly", 2, "it keeps its term", freeze_briefly, Bounds(2.0, terms=0)),
    Drill(
        "leader-frozen-for-a-lease",
        2,
        "it may or may not keep its term",
        freeze_for_a_lease,
        Bounds(SPAN + 1.5, late=1),
    ),
    Drill(
        "leader-frozen-for-long",
        2,
        "another leads as it wakes up",
        freeze_for_long,
        Bounds(SPAN + 1, terms=1, late=1),
    ),
    Drill("step-down", 18, "nobody notices", step_down, Bounds(2.5, terms=3)),
    Drill(
        "step-down-to-the-dead",
        18,
        "who does not get ready is not handed the lease",
        step_down_to_one_that_dies,
        Bounds(2.5, terms=0),
    ),
    Drill("step-down-dying", 18, "in the middle", step_down_dying, Bounds(SPAN + 1, terms=1)),
    Drill("leader-leaves", 19, "with SIGTERM", leave, Bounds(2.5, terms=1)),
    Drill("rolling-restart", 19, "twice around", roll, Bounds(2.5)),
    Drill(
        "all-killed",
        20,
        "and a cold start, which takes the processes a while",
        kill_all,
        Bounds(SPAN + 15, terms=1),
    ),
    Drill("loop-blocked", 21, "a handler stops the loop", block_loop, Bounds(SPAN + 4, late=1)),
)
