"""Cables that are pulled and roads that are blocked."""

from __future__ import annotations

import random

import trio

from hachat.cluster.health import PATIENCE
from hachat.store.history import Returned, read_history
from tests.waiting import until
from tests.whole.drills.drill import Drill
from tests.whole.drills.lab import Lab
from tests.whole.drills.oracle import Bounds
from tests.whole.drills.stores import REDIS

_LOSSES = 15
_DEAF = 0.1
"""Seconds in which whatever Redis answers is lost."""


async def cut_leader_off(lab: Lab) -> None:
    """Pull the cable of the master's server, on which Redis is a replica."""
    leader = lab.others(lab.store_master())[0]
    await lab.lead(leader)
    lab.note(f"the cable of server {leader} is pulled")
    lab.cable.unplug(leader)
    await lab.hear()
    lab.note("healed")
    lab.cable.heal()
    await lab.hear()


async def cut_leader_from_redis(lab: Lab) -> None:
    """Block the road between the master and the server of the Redis master."""
    store = lab.store_master()
    leader = lab.others(store)[0]
    await lab.lead(leader)
    lab.note(f"server {leader} cannot reach server {store}")
    lab.cable.part(leader, store)
    await lab.hear()
    lab.cable.heal()


async def cut_leader_and_store_off(lab: Lab) -> None:
    """Pull the cable of the server on which both the master and the Redis master are."""
    store = lab.store_master()
    await lab.lead(store)
    lab.note(f"the cable of server {store} is pulled")
    lab.cable.unplug(store)
    await until(lambda: lab.store_master() != store, 15.0)
    await lab.hear()
    lab.note("healed")
    lab.cable.heal()
    await lab.hear(40)


async def cut_leader_from_chat(lab: Lab) -> None:
    """Block the road between the master and the chat server alone: it hands over by itself, and says why."""
    leader = await lab.leader()
    lab.note(f"server {leader} cannot reach the chat server")
    lab.cable.mute(leader, lab.ground.chat)
    await lab.hear()
    assert await lab.leader() != leader
    ended = (await read_history(lab.link, lab.keys)).terms[1].end
    assert isinstance(ended, Returned)
    assert ended.cause == "unreachable"
    assert ended.to, "it left without a successor that was ready"
    lab.note("healed")
    lab.cable.heal()
    await lab.hear(40)


async def step_down_without_chat(lab: Lab) -> None:
    """Block the road between the master and the chat server, and let it step down before it hands over by itself."""
    leader = await lab.leader()
    lab.note(f"server {leader} cannot reach the chat server")
    lab.cable.mute(leader, lab.ground.chat)
    await trio.sleep(2.0)
    lab.note("step down")
    await lab.step_down(lab.others(leader)[0])
    await lab.hear()
    lab.note("healed")
    lab.cable.heal()
    await lab.hear(40)


async def cut_leader_from_sentinels(lab: Lab) -> None:
    """Block the roads between the master and every Sentinel: it needs none as long as Redis answers."""
    store = lab.store_master()
    leader = lab.others(store)[0]
    await lab.lead(leader)
    lab.note(f"node {leader} cannot reach a Sentinel")
    lab.sentinels[leader].freeze()
    lab.cable.mute(leader, *(lab.sentinels[other].address for other in lab.others(leader)))
    await lab.hear(120)
    lab.sentinels[leader].thaw()
    lab.cable.heal()
    await lab.hear()


async def cut_store_off(lab: Lab) -> None:
    """Pull the cable of the Redis master's server, on which no master is."""
    store = lab.store_master()
    await lab.lead(lab.others(store)[0])
    lab.note(f"the cable of server {store} is pulled")
    lab.cable.unplug(store)
    await until(lambda: lab.store_master() != store, 15.0)
    await lab.hear()
    lab.note("healed")
    lab.cable.heal()
    await lab.hear(60)


async def cut_one_way(lab: Lab) -> None:
    """Let nothing that the Redis master's server sends reach one other server, on which the master is."""
    store = lab.store_master()
    leader = lab.others(store)[0]
    await lab.lead(leader)
    lab.note(f"nothing that server {store} sends reaches server {leader}")
    lab.cable.mute(store, lab.stores[leader].address, lab.sentinels[leader].address)
    await lab.hear(within=45.0)
    lab.cable.heal()
    await lab.hear()


async def split_stores(lab: Lab) -> None:
    """Part the Redis master and one replica, which the master follows, from the Sentinels' majority."""
    store = lab.store_master()
    near, far = lab.others(store)
    await lab.lead(store)
    lab.note(f"server {far} is parted from server {store}, server {near} hears both")
    lab.cable.part(far, store)
    lab.sentinels[store].freeze()
    await lab.hear(100, within=45.0)
    lab.sentinels[store].thaw()
    lab.cable.heal()
    await lab.hear()


async def half_open(lab: Lab) -> None:
    """Take the Redis master away for good without a goodbye: its connections stay open, and nothing comes through them."""
    store = lab.store_master()
    await lab.lead(lab.others(store)[0])
    lab.note(f"the cable of server {store} is pulled, and its Redis killed")
    lab.cable.unplug(store)
    lab.stores[store].kill()
    await until(lambda: lab.store_master() != store, 15.0)
    await lab.hear()


async def lose_replies(lab: Lab) -> None:
    """Let what Redis answers to a node get lost, again and again: its questions arrive, and it never hears of it."""
    dice = random.Random(12)
    store = lab.store_master()
    leader, other = lab.others(store)
    await lab.lead(leader)
    for _ in range(_LOSSES):
        with trio.move_on_after(dice.uniform(0.1, 0.8)):
            await trio.sleep_forever()
        deaf = dice.choice((leader, leader, other))
        lab.note(f"replies to server {deaf} are lost")
        lab.cable.mute(store, lab.stores[deaf].address)
        await trio.sleep(_DEAF)
        lab.cable.abort(deaf, lab.stores[store].address, REDIS)
        lab.cable.heal()
    await lab.hear(40)


DRILLS = (
    Drill("leader-cut-off", 8, "", cut_leader_off, Bounds(7.5), cuts=True),
    Drill("leader-cut-from-redis", 8, "", cut_leader_from_redis, Bounds(7.5), cuts=True),
    Drill(
        "leader-cut-from-chat",
        8,
        "what the connection has taken counts as sent on IRC, so it may be lost",
        cut_leader_from_chat,
        Bounds(PATIENCE + 6.0, terms=1, forgives=("I4",)),
        cuts=True,
    ),
    Drill(
        "step-down-without-chat",
        8,
        "as before",
        step_down_without_chat,
        Bounds(6.0, terms=1, forgives=("I4",)),
        cuts=True,
    ),
    Drill("leader-cut-from-sentinels", 8, "", cut_leader_from_sentinels, Bounds(2.5), cuts=True),
    Drill(
        "replies-lost",
        12,
        "after what they answer was done; who hears nothing again and again asks less and less often",
        lose_replies,
        Bounds(5.0, terms=0),
        cuts=True,
    ),
    Drill("leader-and-redis-cut-off", 9, "", cut_leader_and_store_off, Bounds(14.0), cuts=True),
    Drill("redis-cut-off", 9, "", cut_store_off, Bounds(5.5, terms=0), cuts=True),
    Drill("cut-one-way", 10, "", cut_one_way, Bounds(14.0), cuts=True),
    Drill(
        "redis-torn",
        10,
        "the Sentinels may promote the replica that lacks the last writes: what was written down meanwhile is forgotten",
        split_stores,
        Bounds(14.0, forgives=("I4", "I5", "I6", "I13")),
        cuts=True,
    ),
    Drill(
        "half-open",
        15,
        "a Sentinel is gone with it, so the others may vote twice, which outlasts a lease",
        half_open,
        Bounds(14.0),
        cuts=True,
    ),
)
