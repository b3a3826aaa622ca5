"""A walk through dead letters, calls and what is posted to consoles: done to a real server and to the model, then compared."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from hachat.core.errors import QueueFull
from hachat.core.messages import Message, Reply, Room, User
from hachat.store.answers import Answers
from hachat.store.console import post
from hachat.store.dead import DeadLetters
from hachat.store.embedded import Server
from hachat.store.jobs import Jobs
from tests.store.instant import now
from tests.store.letters import bury
from tests.store.mutations import Mutation
from tests.store.walk_works import LIMITS, ROOMS, Works

TROUBLED = (
    *("dead", "counters", "said", "deaths", "ready:chat", "outready", "bell", "trail", "audit"),
    *("mailbox:test/a", "outbox:test/a", "console:room:c"),
)
"""Keys in whose place something else may stand."""


class LettersWalk(Works):
    """Letters of all kinds; `entries` are those that ever were, with the ids of what lies in them."""

    def __init__(self, server: Server, mutation: Mutation | None = None) -> None:
        super().__init__(server, mutation)
        self.entries: dict[str, str] = {}
        self._store = DeadLetters(self.link, self.keys, LIMITS)
        self._answers = Answers(self.link, self.keys, "n1:b1", lambda: LIMITS)
        self._posted: list[str] = []

    def say(self, room: str) -> None:
        """Queue a message."""
        if self.troubled:
            return
        box, value = self.lists.mailboxes[room], self._make(room)
        (outcome,) = now(self.inbox.enqueue_all([value], "chat"))
        if isinstance(outcome, QueueFull):
            assert len(box) >= LIMITS.mailbox or self.waiting("chat") >= LIMITS.depth
        else:
            box.append(value.id)

    def promote(self) -> None:
        """Queue the messages that are to be tried again."""
        if not self.troubled:
            now(Jobs(self.link, self.keys).promote(100))
            for _, conversation, id_ in sorted(self.jobs.values()):
                self.lists.mailboxes[conversation].append(id_)
            self.jobs.clear()

    def bury(self, room: str, *, reply: bool, mourned: bool) -> None:
        """Let something be given up that came another way; some messages are `mourned`: nodes died with them."""
        if self.troubled:
            return
        message = self._make(room)
        value = Reply(f"{message.id}/h/9", room, "said") if reply else message
        now(bury(self.link, self.keys, value))
        self.letters.append(value.id)
        if mourned and not reply:
            self.deaths[value.id] = 2
            self.arrange("HSET", self.keys.of("deaths"), value.id, 2)

    def retry(self, pick: int) -> None:
        """Put a letter back, which may be none any more."""
        if self.entries:
            self.again = partial(self._retry, list(self.entries)[pick % len(self.entries)])
            self.again()

    def _retry(self, entry: str) -> None:
        id_, known = self.entries[entry], {entry for _, entry in self.read_letters()}
        places = [f"{kind}:{room}" for kind in ("mailbox", "outbox") for room in ROOMS]
        names = ("dead", "counters", "said", "ready:chat", "outready", "bell", *places)
        try:
            done = self.dare(self._store.retry(entry, "me"), *self.of(*names))
        except QueueFull:
            assert self._is_refused(id_)
            return
        if done is None:
            return
        assert done == (entry in known), "whether there was a letter"
        if done:
            assert not self._is_refused(id_), "it was full"
            self._put_back(id_)

    def _put_back(self, id_: str) -> None:
        self.letters.remove(id_)
        room = self._room_of(id_)
        if "/" in id_:
            self.lists.outboxes[room].append(id_)
        else:
            self.lists.mailboxes[room].append(id_)
            self.lists.early[id_] = set()
            self.deaths.pop(id_, None)

    def _is_refused(self, id_: str) -> bool:
        room = self._room_of(id_)
        if "/" in id_:
            return len(self.lists.outboxes[room]) >= LIMITS.outbox
        if (
            self.waiting("chat") >= LIMITS.depth
            or len(self.lists.mailboxes[room]) >= LIMITS.mailbox
        ):
            return True
        return id_ in self.lists.early

    def drop(self, pick: int) -> None:
        """Drop a letter, which may be none any more; that needs no memory."""
        if self.entries:
            self.again = partial(self._drop, list(self.entries)[pick % len(self.entries)])
            self.again()

    def _drop(self, entry: str) -> None:
        known = {entry for _, entry in self.read_letters()}
        done = self.dare(self._store.drop(entry, "me"), *self.of("dead"))
        if done is None:
            assert self.keys.of("dead") in self.planted, "to drop needs no memory"
            return
        assert done == (entry in known), "whether there was a letter"
        if done:
            self.letters.remove(self.entries[entry])

    def trim(self) -> None:
        """Cut the oldest letters beyond the limit; that needs no memory."""
        before = [id_ for id_, _ in self.read_letters()]
        cut = self.dare(self._store.trim(), *self.of("dead", "counters"))
        if cut is None:
            assert self.planted, "to cut needs no memory"
            return
        assert cut == max(0, len(before) - LIMITS.dead)
        self.cut += cut
        for id_ in before[:cut]:
            self.letters.remove(id_)

    def ask(self, room: str) -> None:
        """Ask the chat service something."""
        call = Reply(f"{self._make(room).id}/c", room, op="roster", answer="n1:b1", v=2)
        self.again = partial(self._ask, call)
        self.again()

    def _ask(self, call: Reply) -> None:
        box = self.lists.outboxes[call.room]
        names = ("outready", "counters", "bell", f"outbox:{call.room}")
        full = len(box) >= LIMITS.outbox and call.id not in box
        try:
            refused = self.dare(_finish(self._answers._queue(call)), *self.of(*names)) is None
        except QueueFull:
            assert full
            return
        if not refused:
            assert not full
            if call.id not in box:
                box.append(call.id)

    def post(self, number: int) -> None:
        """Say something in a console, perhaps once more."""
        reply = Reply(f"p{number}", "console/c", f"text {number}")
        new = self.dare(post(self.link, self.keys, reply), *self.of("console:room:c"))
        if new is not None:
            assert new == (reply.text not in self._posted), "whether it was new"
            self._posted += [reply.text] * new

    def look(self) -> None:
        """Compare the server with the model; raises AssertionError where they differ."""
        super().look()
        self.entries |= {entry: id_ for id_, entry in self.read_letters()}
        said = [str(fields[1]) for _, fields in self.read("XRANGE", "console:room:c", "-", "+")]
        assert len(said) == len(self._posted), "what was posted"
        assert all(text in line for text, line in zip(self._posted, said, strict=True))

    def _make(self, room: str) -> Message:
        number = next(self.numbers)
        name = room.rpartition("/")[2]
        return Message(f"{name}{number}", Room("test", name), User("u"), "hello", 1.0)

    def _room_of(self, id_: str) -> str:
        """Return the room of a message or reply: they are called after it."""
        return f"test/{id_[0]}"


async def _finish(call: Awaitable[None]) -> bool:
    await call
    return True
