"""Step-downs that are refused, asked for twice, and cut short by a death at each step."""

from __future__ import annotations

from collections.abc import Callable

import trio

from hachat.core.errors import StepDownRefused
from hachat.core.lease import Event
from hachat.core.settings import DEFAULT_PRIORITY
from hachat.store.control import drain, pause, resume, undrain
from hachat.store.lease import LeaseView
from tests.waiting import until
from tests.whole.drills.cases.nodes import is_back
from tests.whole.drills.cases.redis import FAILOVER
from tests.whole.drills.cases.sentinels import fail_over
from tests.whole.drills.daemons import node_of
from tests.whole.drills.drill import Drill
from tests.whole.drills.lab import Lab
from tests.whole.drills.oracle import Bounds

_TTL = 5.0

_PATIENCE = 10.0

_KEPT = 3.0
"""Seconds for which a lease that was given back is kept for its heir."""


async def refuse(lab: Lab, to: str, code: str) -> None:
    """Ask for a step-down that must be refused, with this code."""
    lab.note(f"step down to {to or 'anybody'}")
    found = "done"
    try:
        await lab.step_down_to(to)
    except StepDownRefused as error:
        found = error.code
    assert found == code, f"a step-down to {to or 'anybody'} was {found} and not {code}"


async def step_down_to_the_unfit(lab: Lab) -> None:
    """Ask for a drained node, one that never leads, the master itself and nobody's name; then for anybody in a pause."""
    leader = await lab.leader()
    drained, never = map(node_of, lab.others(leader))
    await set_priority(lab, lab.others(leader)[1], 0)
    await drain(lab.link, lab.keys, drained, by="drill")
    with lab.barred("I10", drained, never):
        for to in (drained, never, node_of(leader), "node-9"):
            await refuse(lab, to, "ineligible")
            await lab.hear(5)
        await refuse(lab, "", "no successor")
    await undrain(lab.link, lab.keys, drained)
    await set_priority(lab, lab.others(leader)[1], DEFAULT_PRIORITY)
    await lab.hear()


async def set_priority(lab: Lab, number: int, priority: int) -> None:
    """Start a standby anew with another priority."""
    daemon = lab.daemons[number]
    text = daemon.file.read_text().partition("[lease]")[0]
    daemon.file.write_text(f"{text}[lease]\npriority = {priority}\n")
    await lab.leave(number)
    lab.start(number)
    await until(lambda: is_back(lab, number), 20.0)


async def step_down_in_a_pause(lab: Lab) -> None:
    """In a pause nobody is chosen; who is named is handed the lease, and the pause goes on."""
    leader = await lab.leader()
    heir, other = lab.others(leader)
    await pause(lab.link, lab.keys, by="drill")
    with lab.barred("I9", node_of(other)):
        await refuse(lab, "", "paused")
        await lab.hear()
        await lab.step_down(heir)
        await lab.hear()
    await resume(lab.link, lab.keys)


async def die_in_a_pause(lab: Lab) -> None:
    """In a pause nobody takes over from a master that dies; its own next process may, and does."""
    leader = await lab.leader()
    await pause(lab.link, lab.keys, by="drill")
    with lab.barred("I9", *map(node_of, lab.others(leader))):
        await lab.kill(leader)
        await trio.sleep(_TTL + 1.0)
        lab.start(leader)
        await lab.hear()
    await resume(lab.link, lab.keys)


async def step_down_twice(lab: Lab) -> None:
    """Ask for both others at once: one is followed, and whoever asked for the other is told."""
    told: list[str] = []

    async def ask(number: int) -> None:
        try:
            await lab.step_down(number)
        except StepDownRefused as error:
            told.append(error.code)

    lab.note("step down, twice at once")
    async with trio.open_nursery() as nursery:
        for number in lab.others(await lab.leader()):
            nursery.start_soon(ask, number)
    assert len(told) == 1, f"one of two must be refused: {told}"
    assert told[0] in {"pending", "changed", "not taken over"}, told
    await lab.hear()


async def step_down_in_a_failover(lab: Lab) -> None:
    """Ask as Redis fails over: it is done, or refused because the heir has not been heard of since, and done when asked again."""
    old = lab.store_master()
    heir = lab.others(await lab.leader())[0]
    await until(lambda: fail_over(lab), 20.0)

    async def is_done() -> bool:
        lab.note("step down")
        try:
            await lab.step_down(heir)
        except StepDownRefused as error:
            if error.code != "ineligible":
                raise
            return False
        return True

    await until(is_done, 15.0)
    await until(lambda: lab.store_master() not in {old, 0}, 15.0)
    await lab.hear()


async def hand_over_to_one_that_dies(lab: Lab) -> None:
    """Let the heir die when it has said that it is ready: the lease is kept for it, and then anybody's."""
    leader = await lab.leader()
    heir = lab.others(leader)[0]
    await lab.kill(heir)
    await answer_for(lab, heir)
    await lab.hear()
    lab.start(heir)


async def hand_over_and_die(lab: Lab) -> None:
    """Let the master die when it has given the lease back, before its heir has taken it."""
    leader = await lab.leader()
    heir = lab.others(leader)[0]
    with lab.frozen(heir):
        await answer_for(lab, heir)
        await lab.kill(leader)
    await lab.hear()
    assert await lab.leader() == heir, "somebody else than the heir has taken the lease"
    lab.start(leader)


async def answer_for(lab: Lab, heir: int) -> None:
    """Ask for a step-down to a node that cannot answer, say in its name that it is ready, and return once the lease is given back."""
    view, to = LeaseView(lab.link, lab.keys), node_of(heir)
    lab.note(f"step down to {to}, in whose name is said that it is ready")
    token, after = await lab.request_step_down(heir)
    prepare = await wait_for(view, after, lambda event: event.kind == "prepare" and event.to == to)
    await view.ready(prepare.request)
    await wait_for(view, after, lambda event: event.kind == "released" and event.token == token)


async def wait_for(view: LeaseView, after: str, wanted: Callable[[Event], bool]) -> Event:
    """Return the first event after `after` that is wanted."""
    found: list[Event] = []
    with trio.move_on_after(_PATIENCE) as scope:

        async def hear(event: Event) -> None:
            if wanted(event):
                found.append(event)
                scope.cancel()

        await view.follow(hear, after)
    assert found, f"no such event within {_PATIENCE} s after {after}"
    return found[0]


DRILLS = (
    Drill("step-down-to-the-unfit", 18, "", step_down_to_the_unfit, Bounds(2.5, terms=0)),
    Drill("step-down-in-a-pause", 18, "", step_down_in_a_pause, Bounds(2.5, terms=1)),
    Drill(
        "pause-and-leader-killed",
        18,
        "its next process waits out the ttl, once it is there",
        die_in_a_pause,
        Bounds(2 * _TTL + 6.0, terms=1),
    ),
    Drill("step-down-twice-at-once", 18, "", step_down_twice, Bounds(2.5)),
    Drill("step-down-in-a-failover", 18, "", step_down_in_a_failover, Bounds(FAILOVER, terms=1)),
    Drill(
        "step-down-heir-dies",
        18,
        "once it has said that it is ready",
        hand_over_to_one_that_dies,
        Bounds(_KEPT + 2.0, terms=1),
    ),
    Drill(
        "step-down-master-dies",
        18,
        "once it has given the lease back",
        hand_over_and_die,
        Bounds(_KEPT, terms=1),
    ),
)
