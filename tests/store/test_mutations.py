"""Each rule of the scripts is needed: where one is taken away, a walk soon meets the harm.

A rule that nothing would miss is either dead weight or, worse, untested.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial

import pytest

from hachat.store.embedded import Server, run_server
from hachat.store.outbound import Report
from hachat.store.scripts import load
from tests.store.instant import InstantLink, now
from tests.store.mutations import MUTATIONS, Mutation
from tests.store.stroll import stroll
from tests.store.stroll_works import stroll_through_jobs, stroll_through_letters
from tests.store.walk_inbound import Draft
from tests.store.walk_jobs import JobsWalk
from tests.store.walk_letters import LettersWalk
from tests.store.walk_look import look
from tests.store.walk_outbound import Walk

STEPS = 300
OF_JOBS = {"job_schedule", "job_cancel", "jobs_promote", "slot_fire", "slots_begin"}
OF_LETTERS = {"dead_requeue", "dead_resend", "dead_trim", "dead_drop", "ask", "console_post"}
"""Scripts that are walked through beside the queues."""

SEEDS = range(12)
"""Walks that are tried until one meets the harm; most need one or two."""


def tell_errors(walk: Walk) -> None:
    """Commit two replies, the second to a room whose outbox is no list."""
    node = _begin(walk)
    walk.plant(walk.keys.outbox("test/b"))
    walk.turn(node, "chat", [Draft(replies=2, room="test/a")], None)


def speak_for_another(walk: Walk) -> None:
    """Speak about a message that another node has taken over."""
    node = _begin(walk)
    walk.die(node)
    walk.reap(walk.living[0], 1)
    walk.progress(node, 0, Draft(), aside=False, heard=True)


def speak_too_late(walk: Walk) -> None:
    """Speak about a message that is finished, of a conversation that is still held."""
    node = _begin(walk, messages=2)
    held = dict(walk.nodes[node].held)
    walk.turn(node, "chat", [Draft(replies=0)], None)
    walk.nodes[node].held = held
    walk.progress(node, 0, Draft(), aside=False, heard=True)


def wake_up_and_take(walk: Walk) -> None:
    """Take something after one's conversations have been taken over."""
    node = _begin(walk)
    walk.die(node)
    walk.reap(walk.living[0], 1)
    walk.enqueue("test/b", 1, 0)
    walk.wake(node, "chat", 1, heard=False)
    look(walk)
    walk.tick()
    walk.tick()  # the node lease it was given lasts to the end of the next millisecond
    walk.reap(walk.living[0], 1)
    assert len(walk.inbound.held_by(walk.living[0])) == 2


def report_too_late(walk: Walk) -> None:
    """Let a report arrive after a later turn, and after its head was taken again."""
    node = _begin(walk)
    walk.turn(node, "chat", [Draft(replies=1, room="test/a")], None)
    (token,) = walk.masters
    walk.send(token, [], 10)
    master = walk.masters[token]
    (due,) = master.taken.values()
    master.queue._turns -= 1
    now(master.queue.turn([Report(due, "defer")], 0))


STORIES: Mapping[str, Callable[[Walk], None]] = {
    "errors are looked for before the first reply is queued": tell_errors,
    "early words are the holder's": speak_for_another,
    "early words name the head they are about": speak_too_late,
    "whoever holds something is missed": wake_up_and_take,
    "a turn that comes after a later one is void": report_too_late,
}
"""For rules that a walk by chance would take long to need."""


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may run out of memory, and forget its scripts."""
    with run_server(tmp_path_factory.mktemp("walked")) as server:
        yield server


@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_walk_meets_the_harm_where_a_rule_is_missing(rule: str, walked: Server) -> None:
    """Server and model do not agree any more."""
    mutation = MUTATIONS[rule]
    link = InstantLink(walked)
    now(link.command("SCRIPT", "LOAD", mutation.apply(load(mutation.script).text)))
    link.close()

    with pytest.raises(AssertionError):
        _try(walked, rule)


@pytest.mark.parametrize("rule", STORIES)
def test_a_story_ends_well_where_no_rule_is_missing(rule: str, walked: Server) -> None:
    """It is the rule that makes the difference."""
    _walk(walked, STORIES[rule])


def test_a_rule_that_was_rewritten_is_noticed() -> None:
    """A mutation that changes nothing would prove nothing."""
    with pytest.raises(AssertionError, match=r"reap\.lua has no longer"):
        Mutation("reap", "no such words", "").apply(load("reap").text)


def _try(server: Server, rule: str) -> None:
    if rule in STORIES:
        _walk(server, STORIES[rule], MUTATIONS[rule])
    for seed in SEEDS:
        _stroll(server, random.Random(seed), MUTATIONS[rule])


def _stroll(server: Server, dice: random.Random, mutation: Mutation) -> None:
    """Walk where the script is needed."""
    if mutation.script in OF_JOBS:
        jobs = JobsWalk(server, mutation)
        with closing(jobs):
            stroll_through_jobs(jobs, dice, STEPS)
    elif mutation.script in OF_LETTERS:
        letters = LettersWalk(server, mutation)
        with closing(letters):
            stroll_through_letters(letters, dice, STEPS)
    else:
        _walk(server, partial(stroll, dice=dice, steps=STEPS), mutation)


def _walk(server: Server, go: Callable[[Walk], None], mutation: Mutation | None = None) -> None:
    walk = Walk(server, mutation)
    try:
        go(walk)
        look(walk)
    finally:
        walk.end()


def _begin(walk: Walk, messages: int = 1) -> str:
    """Let a node take a conversation with so many messages, and return its name."""
    node = walk.living[0]
    walk.enqueue("test/a", messages, 0)
    walk.turn(node, "chat", [], 1)
    return node
