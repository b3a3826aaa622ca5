"""Whatever happens to jobs, schedules, dead letters and calls: nothing is lost, doubled, miscounted or left behind."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

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

from hachat.store.embedded import Server, find_binary, run_server
from hachat.store.keys import LANES
from tests.store.binaries import find_redis
from tests.store.stroll_works import stroll_through_jobs, stroll_through_letters
from tests.store.walk_jobs import NAMES, SCHEDULES, JobsWalk
from tests.store.walk_jobs import TROUBLED as JOB_KEYS
from tests.store.walk_letters import TROUBLED as LETTER_KEYS
from tests.store.walk_letters import LettersWalk
from tests.store.walk_works import ROOMS, Ending, Works

pick = st.integers(0, 1000)
rooms = st.sampled_from(ROOMS)
endings = st.builds(
    Ending,
    replies=st.integers(0, 2),
    again=st.booleans(),
    give_up=st.booleans(),
    twice=st.booleans(),
)


class WorksMachine(RuleBasedStateMachine):
    """What both machines do; `server` is where, `keys` are those in whose place something else may stand."""

    server: ClassVar[Server]
    keys: ClassVar[tuple[str, ...]]
    walk: Works

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.walk.end()

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        """Server and model agree."""
        self.walk.look()

    @precondition(lambda self: self.walk.again)
    @rule()
    def repeat(self) -> None:
        """The answer to the last call was lost, so it is made again."""
        self.walk.repeat()

    @precondition(lambda self: any(self.walk.lists.mailboxes.values()))
    @rule(lane=st.sampled_from(LANES), ending=endings)
    def handle(self, lane: Any, ending: Ending) -> None:
        """A message comes to an end."""
        self.walk.handle(lane, ending)

    @precondition(lambda self: self.walk.lists.outgoing)
    @rule(outcome=st.sampled_from(["sent", "dead"]))
    def send(self, outcome: Any) -> None:
        """Replies are sent, or can never be."""
        self.walk.send(outcome)

    @rule(what=st.sampled_from(["forget", "choke", "plant"]), number=pick)
    def trouble(self, what: str, number: int) -> None:
        """The server forgets the scripts, has no memory, or something else stands in the place of a key."""
        match what:
            case "forget":
                self.walk.forget_scripts()
            case "choke":
                self.walk.choke()
            case "plant":
                self.walk.plant_name(self.keys[number % len(self.keys)])

    @precondition(lambda self: self.walk.troubled)
    @rule()
    def recover(self) -> None:
        """All is well again."""
        self.walk.breathe()
        self.walk.weed()


class JobsMachine(WorksMachine):
    """Jobs and schedules."""

    keys = JOB_KEYS

    def __init__(self) -> None:
        super().__init__()
        self.walk = self.jobs = JobsWalk(self.server)

    @rule(name=st.sampled_from(NAMES), soon=st.booleans(), fresh=st.booleans())
    def schedule(self, name: str, *, soon: bool, fresh: bool) -> None:
        """A job is kept for later."""
        self.jobs.schedule(name, soon=soon, fresh=fresh)

    @rule(number=pick)
    def cancel(self, number: int) -> None:
        """A job is taken back, or one that was moved or never was."""
        names = [*self.walk.jobs, *(f"{id_}/again" for id_ in self.walk.lists.early), *NAMES]
        self.jobs.cancel(names[number % len(names)])

    @precondition(lambda self: self.walk.jobs)
    @rule(most=st.integers(1, 3))
    def promote(self, most: int) -> None:
        """A node moves what is due."""
        self.jobs.promote(most)

    @precondition(lambda self: self.walk.jobs)
    @rule()
    def wait(self) -> None:
        """Time passes."""
        self.jobs.wait()

    @rule(name=st.sampled_from(SCHEDULES))
    def begin(self, name: str) -> None:
        """A node asks where a schedule stands."""
        self.jobs.begin(name)

    @rule(name=st.sampled_from(SCHEDULES), number=st.integers(0, 5))
    def fire(self, name: str, number: int) -> None:
        """A node fires a slot, perhaps one that is past."""
        self.jobs.fire(name, number)


class LettersMachine(WorksMachine):
    """Dead letters, with the mailboxes and outboxes they come from and go to; calls, and what consoles are told."""

    keys = LETTER_KEYS

    def __init__(self) -> None:
        super().__init__()
        self.walk = self.letters = LettersWalk(self.server)

    @rule(room=rooms)
    def say(self, room: str) -> None:
        """Something is said."""
        self.letters.say(room)

    @precondition(lambda self: self.walk.jobs)
    @rule()
    def promote(self) -> None:
        """What is to be tried again is queued."""
        self.letters.promote()

    @rule(room=rooms, reply=st.booleans(), mourned=st.booleans())
    def bury(self, room: str, *, reply: bool, mourned: bool) -> None:
        """Something is given up."""
        self.letters.bury(room, reply=reply, mourned=mourned)

    @precondition(lambda self: self.walk.entries)
    @rule(number=pick)
    def retry(self, number: int) -> None:
        """A letter is put back, or one that is gone."""
        self.letters.retry(number)

    @precondition(lambda self: self.walk.entries)
    @rule(number=pick)
    def drop(self, number: int) -> None:
        """A letter is dropped, or one that is gone."""
        self.letters.drop(number)

    @rule()
    def trim(self) -> None:
        """The master cuts what is beyond the limit."""
        self.letters.trim()

    @rule(room=rooms)
    def ask(self, room: str) -> None:
        """A handler asks who is in a room."""
        self.letters.ask(room)

    @rule(number=st.integers(0, 3))
    def post(self, number: int) -> None:
        """A reply is said in a console, perhaps once more."""
        self.letters.post(number)


@pytest.fixture(params=["valkey", "redis"])
def walked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of its own, for it is made to run out of memory: the embedded Valkey, and Debian's Redis."""
    binary = find_binary() if request.param == "valkey" else find_redis()
    with run_server(tmp_path / "server", binary=binary) as server:
        yield server


@pytest.mark.parametrize("machine", [JobsMachine, LettersMachine])
def test_server_and_model_agree_whatever_happens(
    machine: type[WorksMachine], walked: Server
) -> None:
    """After every step of any walk all keys hold what they should, and what was refused has changed nothing."""
    here = type("Here", (machine,), {"server": walked})
    run_state_machine_as_test(
        here, settings=settings(max_examples=20, stateful_step_count=25, deadline=None)
    )


@pytest.mark.parametrize("seed", range(2))
def test_a_long_walk_through_jobs_ends_well(walked: Server, seed: int) -> None:
    """What hypothesis does not reach in a few steps, dice reach in many."""
    walk = JobsWalk(walked)
    stroll_through_jobs(walk, random.Random(seed), 200)
    walk.end()


@pytest.mark.parametrize("seed", range(2))
def test_a_long_walk_through_letters_ends_well(walked: Server, seed: int) -> None:
    """What hypothesis does not reach in a few steps, dice reach in many."""
    walk = LettersWalk(walked)
    stroll_through_letters(walk, random.Random(seed), 200)
    walk.end()
