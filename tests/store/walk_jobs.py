"""A walk through jobs and schedules: each step is done to a real server and to the model, and then they are compared."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from hachat.core.errors import QueueFull
from hachat.core.messages import Inbound, Job, Message, Room, User
from hachat.store.commits import Later, mark
from hachat.store.embedded import Server
from hachat.store.jobs import MOST_WAITING, Firing, Jobs
from hachat.store.keys import Lane
from tests.store.instant import now
from tests.store.mutations import Mutation
from tests.store.walk_works import ROOMS, Works

MOST = 4
"""Jobs that may wait."""

MESSAGES = ("a", "b")
NAMES = (*MESSAGES, "c", "d", "e")
"""Under the first ones messages wait, under the others jobs."""

SCHEDULES = ("s1", "s2")
NEVER = 10**9
"""Later than any step: when jobs are due that must wait, until `wait` lets the time come."""

_FUTURE = 10**13
"""A slot, Unix milliseconds, that comes after any moment at which a schedule can begin."""

TROUBLED = (
    "jobs",
    "jobdata",
    "counters",
    "slots",
    "said",
    "ready:work",
    "mailbox:job/r.m",
    "mailbox:job/s1",
)
"""Keys in whose place something else may stand."""


class JobsWalk(Works):
    """Jobs that wait, and the slots of two schedules; a job is known as (step at which it is due, conversation, id)."""

    def __init__(self, server: Server, mutation: Mutation | None = None) -> None:
        super().__init__(server, mutation)
        self.store = Jobs(self.link, self.keys, MOST)
        self.lanes |= {f"job/{name}": "work" for name in ("r.m", *SCHEDULES)}
        self.slots: dict[str, int] = {}
        self._marks: dict[str, str] = {}
        self._versions = 0

    def schedule(self, name: str, *, soon: bool, fresh: bool) -> None:
        """Keep a job under a name, the same as before unless it is `fresh`; under some names it is a message."""
        said = name in MESSAGES
        self._versions += fresh or name not in self._marks
        id_ = f"{name}-{self._versions}"
        value: Inbound = Job(id_, "r.m", 1.0)
        if said:
            value = Message(id_, Room("test", ROOMS[0][-1]), User("u"), "hello", 1.0)
        lane: Lane = "chat" if said else "work"
        self.again = partial(self._schedule, Later(name, 0.0 if soon else 1e6, lane, value))
        self.again()

    def _schedule(self, later: Later) -> None:
        assert later.value is not None
        waits, content = later.id in self.jobs, later.value.id
        try:
            done = self.dare(self._answer(self.store.schedule(later)), *self.of("jobs", "jobdata"))
        except QueueFull:
            assert not waits
            assert len(self.jobs) >= MOST
            return
        if done is None or (not waits and self._marks.get(later.id) == content):
            return
        assert waits or len(self.jobs) < MOST
        self._marks[later.id] = content
        due = NEVER if later.delay else self.steps
        self.jobs[later.id] = (due, later.value.conversation, later.value.id)

    @staticmethod
    async def _answer(call: Awaitable[None]) -> bool:
        await call
        return True

    def cancel(self, name: str) -> None:
        """Take back a job, which may be none any more."""
        self.again = partial(self._cancel, name)
        self.again()

    def _cancel(self, name: str) -> None:
        found = self.dare(self.store.cancel(name), *self.of("jobs", "jobdata", "said"))
        if found is None:
            return
        assert found == (name in self.jobs), "whether it waited"
        self._marks.pop(name, None)
        if self.jobs.pop(name, None) and name.endswith("/again"):
            self.lists.early.pop(name.removesuffix("/again"), None)

    def promote(self, most: int) -> None:
        """Move what is due."""
        due = sorted((at, name) for name, (at, _, _) in self.jobs.items() if at <= self.steps)
        promoted = self.dare(self.store.promote(most), *self.of("jobs", "jobdata", "counters"))
        if promoted is None:
            return
        moved = 0
        for _, name in due[:most]:
            _, conversation, id_ = self.jobs[name]
            box, ready = (
                self.lists.mailboxes[conversation],
                self.keys.ready(self.lanes[conversation]),
            )
            stuck = self.keys.mailbox(conversation) in self.planted
            if stuck or (not box and ready in self.planted):
                self.jobs[name] = (NEVER, conversation, id_)
            else:
                moved += 1
                box.append(id_)
                del self.jobs[name]
        assert promoted.moved == moved
        assert (promoted.wait is None) == (not self.jobs), "whether a job waits"
        left = any(at <= self.steps for at, _, _ in self.jobs.values())
        assert (promoted.wait == 0) == left, "whether a job is due"

    def wait(self) -> None:
        """Let the time come for all jobs."""
        key = self.locate(self.keys.of("jobs"))
        for name, (_, conversation, id_) in self.jobs.items():
            self.arrange("ZADD", key, "XX", 1, name)
            self.jobs[name] = (-1, conversation, id_)

    def begin(self, name: str) -> None:
        """Let a node ask which slot was the last."""
        before = now(self.store.now())
        begun = self.dare(self.store.begin([name]), *self.of("slots"))
        if begun is None:
            return
        if name not in self.slots:
            assert before <= begun[name] <= now(self.store.now()), "a new schedule begins now"
        assert begun[name] == self.slots.setdefault(name, begun[name])

    def fire(self, name: str, number: int) -> None:
        """Fire a slot: the first one is long past."""
        slot = _FUTURE + number if number else 1
        self.again = partial(self._fire, name, slot)
        self.again()

    def _fire(self, name: str, slot: int) -> None:
        job = Job(f"{name}@{slot}", f"{name}", 1.0)
        box = self.lists.mailboxes[job.conversation]
        keys = self.of("slots", "counters", "ready:work", f"mailbox:{job.conversation}")
        firing = self.dare(self.store.fire(name, slot, job), *keys)
        if firing is None:
            return
        if self.slots.get(name, 0) >= slot:
            assert firing is Firing.PAST
            return
        self.slots[name] = slot
        assert firing is (Firing.BUSY if len(box) >= MOST_WAITING else Firing.FIRED)
        if firing is Firing.FIRED:
            box.append(job.id)

    def flood(self) -> None:
        """Fill the mailbox of the second schedule, whose handler does not keep up."""
        name = f"job/{SCHEDULES[1]}"
        box, key = self.lists.mailboxes[name], self.keys.mailbox(name)
        if self.troubled or box:
            return
        jobs = [Job(f"f{number}", SCHEDULES[1], 1.0) for number in range(MOST_WAITING - 1)]
        self.arrange("RPUSH", key, *map(mark, jobs))
        self.arrange("XADD", self.keys.ready("work"), "*", "c", name)
        self.arrange("HINCRBY", self.keys.of("counters"), "waiting:work", len(jobs))
        box += [job.id for job in jobs]

    def look(self) -> None:
        """Compare the server with the model; raises AssertionError where they differ."""
        super().look()
        slots = {name: int(slot) for name, slot in self.read_pairs("slots").items()}
        assert slots == self.slots, "slots"
        marks = now(self.link.command("KEYS", self.keys.seen("later:*")))
        found = {mark.decode().removeprefix(self.keys.seen("later:")) for mark in marks}
        assert found == self._marks.keys(), "marks"
