"""Whatever happens to the queues in whatever order: nothing is lost, doubled, out of order, miscounted or stuck."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hachat.store.commits import Commit, Verdict
from hachat.store.embedded import Server, find_binary, run_server
from hachat.store.keys import LANES
from tests.store.binaries import find_redis
from tests.store.instant import now
from tests.store.queue_model import ROOMS
from tests.store.stroll import stroll
from tests.store.walk_inbound import Draft
from tests.store.walk_look import look
from tests.store.walk_outbound import Walk

pick = st.integers(0, 1000)
names = st.sampled_from(list(ROOMS))
lanes = st.sampled_from(LANES)
drafts = st.builds(
    Draft,
    replies=st.integers(0, 3),
    room=names,
    look=st.booleans(),
    give_way=st.booleans(),
    give_up=st.booleans(),
    later=st.booleans(),
)
outcomes = st.tuples(st.sampled_from(["sent", "sent", "defer", "doubt", "dead"]), st.booleans())


class QueueMachine(RuleBasedStateMachine):
    """A walk whose steps hypothesis chooses; `server` is where."""

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.walk = Walk(self.server)

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.walk.end()

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        """Server and model agree."""
        look(self.walk)
        self.walk.tick()

    @rule(name=names, fresh=st.integers(0, 3), old=st.integers(0, 3))
    def enqueue(self, name: str, fresh: int, old: int) -> None:
        """Something is said."""
        self.walk.enqueue(name, fresh, old)

    @rule(node=pick, lane=lanes, most=st.integers(0, 3), heard=st.booleans())
    def take(self, node: int, lane: Any, most: int, *, heard: bool) -> None:
        """A node takes conversations."""
        self.walk.turn(self._living(node), lane, [], most, heard=heard)

    @precondition(lambda self: self.walk.inbound.owners)
    @rule(
        node=pick,
        lane=lanes,
        some=st.lists(drafts, min_size=1, max_size=3),
        most=st.none() | st.integers(-1, 2),
        heard=st.booleans(),
    )
    def commit(
        self, node: int, lane: Any, some: list[Draft], most: int | None, *, heard: bool
    ) -> None:
        """A node, dead or alive, finishes what it holds, and takes more."""
        self.walk.turn(self._any(node), lane, some, most, heard=heard)

    @precondition(lambda self: self.walk.inbound.owners)
    @rule(node=pick, number=pick, some=drafts, aside=st.booleans(), heard=st.booleans())
    def progress(self, node: int, number: int, some: Draft, *, aside: bool, heard: bool) -> None:
        """A node, dead or alive, speaks before it has finished, or moves a message aside."""
        self.walk.progress(self._any(node), number, some, aside=aside, heard=heard)

    @precondition(lambda self: self.walk.again)
    @rule()
    def repeat(self) -> None:
        """The last turn is asked for again."""
        self.walk.repeat()

    @precondition(lambda self: self.walk.inbound.owners)
    @rule(node=pick)
    def find_unheard(self, node: int) -> None:
        """A node asks what it holds."""
        self.walk.find_unheard(self._living(node))

    @precondition(lambda self: self.walk.inbound.owners)
    @rule(node=pick)
    def die(self, node: int) -> None:
        """A node dies."""
        self.walk.die(self._living(node))

    @precondition(lambda self: self.walk.dead)
    @rule(node=pick, lane=lanes, most=st.integers(1, 3), heard=st.booleans())
    def wake(self, node: int, lane: Any, most: int, *, heard: bool) -> None:
        """A node that was taken for dead takes conversations."""
        self.walk.wake(self.walk.dead[node % len(self.walk.dead)], lane, most, heard=heard)

    @precondition(lambda self: self.walk.bereaved)
    @rule(node=pick, most=st.integers(0, 3))
    def reap(self, node: int, most: int) -> None:
        """A node takes over what the dead hold."""
        self.walk.reap(self._living(node), most)

    @precondition(lambda self: self.walk.inbound.owners)
    @rule(node=pick)
    def hand_back(self, node: int) -> None:
        """A node gives back what it holds."""
        self.walk.hand_back(self._living(node))

    @precondition(lambda self: self.walk.lists.outgoing)
    @rule(
        master=st.sampled_from([0, 0, 0, 1, 2]),
        some=st.lists(outcomes, max_size=3),
        most=st.integers(0, 3),
        heard=st.booleans(),
    )
    def send(self, master: int, some: list[Any], most: int, *, heard: bool) -> None:
        """A master, mostly the present one, reports and takes."""
        self.walk.send(self._master(master), some, most, heard=heard)

    @rule()
    def succeed(self) -> None:
        """Another master follows."""
        self.walk.succeed()

    @precondition(lambda self: self.walk.outbound.notes)
    @rule(master=st.sampled_from([0, 0, 1]))
    def inherit(self, master: int) -> None:
        """A master looks for rooms that somebody may be sending to."""
        self.walk.inherit(self._master(master))

    @precondition(lambda self: self.walk.outbound.deferred)
    @rule()
    def wait(self) -> None:
        """Time passes."""
        self.walk.wait()

    @rule(
        what=st.sampled_from(["forget", "choke", "breathe", "plant", "weed"]),
        name=names,
        out=st.booleans(),
    )
    def trouble(self, what: str, name: str, *, out: bool) -> None:
        """The server forgets the scripts, has no memory, or something else stands where a list should be."""
        keys = self.walk.keys
        match what:
            case "forget":
                self.walk.forget_scripts()
            case "choke":
                self.walk.choke()
            case "breathe":
                self.walk.breathe()
            case "plant":
                self.walk.plant(keys.outbox(name) if out else keys.mailbox(name))
            case "weed":
                self.walk.weed()

    def _any(self, number: int) -> str:
        """Return a node, dead or alive, that holds something, or believes to."""
        nodes = [name for name, node in self.walk.nodes.items() if node.held]
        nodes += set(self.walk.inbound.owners.values())
        return nodes[number % len(nodes)]

    def _living(self, number: int) -> str:
        """Return a living node, rather one that holds something."""
        nodes = [*self.walk.living, *sorted(set(self.walk.inbound.owners.values()))]
        return [name for name in nodes if self.walk.nodes[name].alive][-1 - number % 2]

    def _master(self, age: int) -> str:
        masters = list(self.walk.masters)
        return masters[max(0, len(masters) - 1 - age)]


@pytest.fixture(params=["valkey", "redis"])
def walked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of its own, for it is made to run out of memory: the embedded Valkey, and Debian's Redis."""
    binary = find_binary() if request.param == "valkey" else find_redis()
    with run_server(tmp_path / "server", binary=binary) as server:
        yield server


@pytest.fixture
def walk(walked: Server) -> Iterator[Walk]:
    """The beginning of a walk."""
    begun = Walk(walked)
    yield begun
    begun.end()


def test_the_queues_agree_with_their_model_whatever_happens(walked: Server) -> None:
    """After every step of any walk, lists, tokens, counters, notes and dead letters are what they should be."""

    class Here(QueueMachine):
        server = walked

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
        ),
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_long_walk_ends_well(walk: Walk, seed: int) -> None:
    """What hypothesis does not reach in a few steps, dice reach in many."""
    stroll(walk, random.Random(seed), 400)


def test_a_room_whose_messages_have_all_moved_gets_one_token(walk: Walk) -> None:
    """What is said in it next is handled by one node, though another held its token a moment ago."""
    (node, _) = walk.living
    walk.enqueue("test/a", 2, 0)
    for number in range(2):
        walk.turn(node, "chat", [], 3)
        walk.progress(node, number, Draft(replies=0), aside=True, heard=True)

    walk.enqueue("test/a", 1, 0)

    look(walk)


def test_conversations_of_the_dead_are_taken_over_without_memory(walk: Walk) -> None:
    """Nor does one that is no list hold up the others."""
    (node, other) = walk.living
    walk.enqueue("test/a", 1, 0)
    walk.enqueue("test/b", 1, 0)
    walk.turn(node, "chat", [], 2)
    walk.die(node)
    walk.plant(walk.keys.mailbox("test/a"))
    walk.choke()

    walk.reap(other, 2)

    look(walk)
    assert len(walk.inbound.held_by(other)) == 2


def test_a_master_inherits_without_memory(walk: Walk) -> None:
    """Else nothing would be sent, and no memory freed."""
    (node, _) = walk.living
    walk.enqueue("test/a", 1, 0)
    walk.turn(node, "chat", [], 1)
    walk.turn(node, "chat", [Draft(replies=1)], None)
    (first,) = walk.masters
    walk.send(first, [], 1)
    walk.succeed()
    walk.choke()

    walk.inherit(list(walk.masters)[-1])

    look(walk)
    assert walk.outbound.due


def test_a_turn_that_arrives_late_gives_back_no_message_that_moved(walk: Walk) -> None:
    """A first look may reach Redis after its repetition, and after the message has been moved aside."""
    (node, _) = walk.living
    walk.enqueue("test/a", 1, 0)
    walk.turn(node, "chat", [], 1)
    token, _ = next(iter(walk.nodes[node].held.values()))
    walk.progress(node, 0, Draft(replies=0), aside=True, heard=True)

    now(walk.nodes[node].queue.turn("chat", [Commit(token)]))

    look(walk)


def test_tokens_of_both_lanes_may_have_one_name(walk: Walk) -> None:
    """Redis names entries by the millisecond, so it happens; what a token stands for is known all the same."""
    queue, keys = walk.nodes[walk.living[0]].queue, walk.keys
    for lane, conversation in zip(LANES, ("test/a", "test/c"), strict=True):
        now(walk.link.command("RPUSH", keys.mailbox(conversation), f"m-{lane}|"))
        now(walk.link.command("XADD", keys.ready(lane), "7-7", "c", conversation))
    _, ((chat, slow),) = now(queue.turn("chat", [], 1))
    _, ((work, quick),) = now(queue.turn("work", [], 1))
    assert slow is not None
    now(queue.progress(chat, slow, aside="test/a#"))

    (done,), _ = now(queue.turn("work", [Commit(work, quick)]))

    assert done == (Verdict.DONE, None)
    (held,) = now(queue.held("chat"))
    assert held.conversation == "test/a#"
