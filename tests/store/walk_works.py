"""What the walks beside the queues have in common: messages that are handled, replies that are sent, and a look at all of it.

Jobs, dead letters and calls go into mailboxes and outboxes and come out of them, so the queues are walked through here as
well, but on the plainest way: one node, one master, and no trouble while they work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hachat.core.errors import QueueFull, StoreRefused
from hachat.core.messages import Message, Reply
from hachat.core.settings import QueueSettings
from hachat.core.wire import decode_inbound
from hachat.store.commits import Commit, Head, Later, Token, Verdict
from hachat.store.embedded import Server
from hachat.store.inbound import Inbound
from hachat.store.keys import LANES, Lane
from hachat.store.outbound import Outbound, Outcome, Report
from tests.store.instant import now
from tests.store.mutations import Mutation
from tests.store.walk_ground import Ground

T = TypeVar("T")

LIMITS = QueueSettings(depth=5, mailbox=3, outbox=3, dead=4)
"""Small enough to be met."""

ROOMS = ("test/a", "test/b")
"""The rooms that are spoken in."""


_READS: Mapping[bytes, tuple[str | int, ...]] = {
    b"string": ("GET",),
    b"list": ("LRANGE", 0, -1),
    b"zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    b"hash": ("HGETALL",),
    b"stream": ("XRANGE", "-", "+"),
}


@dataclass(frozen=True)
class Ending:
    """How a message ends: with so many replies, to be tried again, given up, or both; and whether it is told twice."""

    replies: int = 1
    again: bool = False
    give_up: bool = False
    twice: bool = False


class Works(Ground):
    """A cluster of one node; `lanes` are those of the conversations that were ever used."""

    def __init__(self, server: Server, mutation: Mutation | None = None) -> None:
        super().__init__(server, mutation)
        self.lanes: dict[str, Lane] = dict.fromkeys(ROOMS, "chat")
        self.jobs: dict[str, tuple[int, str, str]] = {}
        self.letters: list[str] = []
        self.deaths: dict[str, int] = {}
        self.cut = 0
        self.steps = 0
        self.inbox = Inbound(self.link, self.keys, "n1:b1", LIMITS)
        self._master = Outbound(self.link, self.keys, "n1/b1/0.1", lambda: LIMITS)
        self.arrange("SET", self.keys.of("lease"), "n1/b1/0.1")
        now(self.inbox.prepare())

    def close(self) -> None:
        """Leave nothing behind."""
        self.end()

    @property
    def troubled(self) -> bool:
        """Whether anything may be refused just now."""
        return self.full or bool(self.planted)

    def dare(self, call: Coroutine[Any, Any, T], *names: str) -> T | None:
        """Return what a call returns; None if it was refused, as it may be when one of these keys is in trouble.

        Raises:
            AssertionError: it was refused without need, or something has changed all the same.
        """
        before = self._photograph()
        try:
            return now(call)
        except QueueFull:
            assert self._photograph() == before, "full, and yet something has changed"
            raise
        except StoreRefused as error:
            self._excuse(str(error), names, before)
            return None

    def _excuse(self, error: str, keys: Sequence[str], before: Mapping[bytes, Any]) -> None:
        assert self.full or self.planted & set(keys), error
        assert self._photograph() == before, f"refused, and yet something has changed: {error}"

    def waiting(self, lane: Lane) -> int:
        """Return how many messages wait in a lane."""
        boxes = self.lists.mailboxes.items()
        return sum(len(box) for name, box in boxes if self.lanes[name] == lane)

    def handle(self, lane: Lane, ending: Ending) -> None:
        """Let the node take a conversation, end its head and give it back."""
        if self.troubled:
            return
        _, taken = now(self.inbox.turn(lane, [], 1))
        assert bool(taken) == bool(self.waiting(lane)), (
            "what waits has a token, and nothing else has"
        )
        for token, head in taken:
            box = self.lists.mailboxes[token.conversation]
            assert head is not None
            assert head.id == box[0]
            left = self._end(token, head, ending)
            assert bool(left) == bool(box), f"{token.conversation} holds {box}"
            if left:
                now(self.inbox.turn(lane, [Commit(token, give_way=True)]))

    def _end(self, token: Token, head: Head, ending: Ending) -> bool:
        """End a head, and tell whether more is waiting."""
        value = decode_inbound(head.data)
        room = value.room.address if isinstance(value, Message) else "test/a"
        replies = [Reply(f"{head.id}/h/{n}", room, "said") for n in range(ending.replies)]
        later = [Later(f"{head.id}/again", 0.0, token.lane, value)] if ending.again else []
        why, letter = ("given up" if ending.give_up else ""), (value if ending.again else None)
        commit = Commit(
            *(token, head, replies),
            give_up=why,
            later=later,
            again=ending.again,
            letter=letter,
        )
        verdict = self._commit(commit)
        self._finish(token.conversation, head.id, replies, ending)
        more = bool(self.lists.mailboxes[token.conversation])
        assert verdict is (Verdict.MORE if more else Verdict.DONE)
        if ending.twice:
            assert self._commit(commit) is (Verdict.GONE if more else Verdict.LOST), "ended twice"
        return more

    def _commit(self, commit: Commit) -> Verdict:
        (answer,), _ = now(self.inbox.turn(commit.token.lane, [commit]))
        assert isinstance(answer, tuple), answer
        return answer[0]

    def _finish(self, name: str, id_: str, replies: Sequence[Reply], ending: Ending) -> None:
        before = self.lists.early.pop(id_, set())
        for reply in replies:
            if reply.id not in before:
                outbox = self.lists.outboxes[reply.room]
                (outbox if len(outbox) < LIMITS.outbox else self.letters).append(reply.id)
        if ending.give_up:
            self.letters.append(id_)
        if ending.again:
            self.lists.early[id_] = before | {reply.id for reply in replies}
            self.jobs[f"{id_}/again"] = (self.steps, name, id_)
        self.deaths.pop(id_, None)
        self.lists.mailboxes[name].pop(0)

    def send(self, outcome: Outcome) -> None:
        """Let the master send what is due, or find that it cannot be sent."""
        if self.troubled:
            return
        taken, _ = now(self._master.turn([], 10))
        assert {due.room: due.id for due in taken} == {
            room: box[0] for room, box in self.lists.outboxes.items() if box
        }, "rooms that are due"
        now(self._master.turn([Report(due, outcome, reason="never") for due in taken], 0))
        for due in taken:
            self.lists.outboxes[due.room].pop(0)
            if outcome == "dead":
                self.letters.append(due.id)

    def of(self, *names: str) -> list[str]:
        """Return the keys of these names."""
        return [self.keys.of(name) for name in names]

    def plant_name(self, name: str) -> None:
        """Put something else in the place of a key, which is kept beside it."""
        key = self.keys.of(name)
        if key not in self.planted:
            self.planted.add(key)
            if self.arrange("EXISTS", key):
                self.arrange("RENAME", key, f"{key}:aside")
            self.arrange("SET", key, "of another type")

    def look(self) -> None:
        """Compare the server with the model.

        Raises:
            AssertionError: something was lost, doubled, miscounted or left behind.
        """
        self._look_at_boxes()
        self._look_at_numbers()
        self.tick()
        self.steps += 1

    def _look_at_boxes(self) -> None:
        boxes = {self.keys.mailbox(name): box for name, box in self.lists.mailboxes.items()}
        boxes |= {self.keys.outbox(name): box for name, box in self.lists.outboxes.items()}
        questions: list[tuple[str | int, ...]] = [
            ("LRANGE", self.locate(key), 0, -1) for key in boxes
        ]
        questions += [("XRANGE", self.locate(self.keys.ready(lane)), "-", "+") for lane in LANES]
        questions += [("ZRANGE", self.locate(self.keys.of("outready")), 0, -1)]
        *found, chat, work, rooms = self.link.all(questions)
        for (key, box), items in zip(boxes.items(), found, strict=True):
            assert [item.partition(b"|")[0].decode() for item in items] == box, key
        full = {name for name, box in self.lists.mailboxes.items() if box}
        for lane, entries in zip(LANES, (chat, work), strict=True):
            tokens = Counter(fields[1].decode() for _, fields in entries)
            assert tokens == Counter(name for name in full if self.lanes[name] == lane), "tokens"
        due = {room for room, box in self.lists.outboxes.items() if box}
        assert {room.decode() for room in rooms} == due, "rooms"

    def _look_at_numbers(self) -> None:
        names = ("counters", "said", "deaths", "jobdata")
        found = self.link.all([("HGETALL", self.locate(self.keys.of(name))) for name in names])
        counters, said, deaths, data = map(_pair, found)
        expected = {f"waiting:{lane}": self.waiting(lane) for lane in LANES}
        expected |= {"outgoing": self.lists.outgoing, "dead_cut": self.cut}
        assert {name: int(counters.get(name, 0)) for name in expected} == expected, "counters"
        known = {name: set(ids.split()) for name, ids in said.items()}
        assert known == self.lists.early, "what was said before"
        assert {name: int(count) for name, count in deaths.items()} == self.deaths, "deaths"
        jobs = {job.decode() for job in self.read("ZRANGE", "jobs", 0, -1)}
        assert jobs == data.keys() == self.jobs.keys(), "jobs"
        letters = [name for name, _ in self.read_letters()]
        assert Counter(letters) == Counter(self.letters), "dead letters"

    def read_letters(self) -> list[tuple[str, str]]:
        """Return the ids of what lies in the dead letters, and their entries, oldest first."""
        found = self.read("XRANGE", "dead", "-", "+")
        return [(fields[5].partition(b"|")[0].decode(), entry.decode()) for entry, fields in found]

    def read_pairs(self, name: str) -> dict[str, str]:
        """Return the fields of a hash."""
        return _pair(self.read("HGETALL", name))

    def read(self, command: str, name: str, *rest: str | int) -> Any:
        """Return the answer to a command about a key, wherever it is just now."""
        return now(self.link.command(command, self.locate(self.keys.of(name)), *rest))

    def _photograph(self) -> dict[bytes, Any]:
        """Return all that is stored; not by DUMP, which tells the fields of a hash in an order that may change."""
        names = now(self.link.command("KEYS", self.keys.of("*")))
        kinds = self.link.all([("TYPE", name) for name in names])
        reads = [_READS[kind] for kind in kinds]
        found = self.link.all(
            [(first, name, *rest) for name, (first, *rest) in zip(names, reads, strict=True)]
        )
        return {
            name: dict(zip(value[::2], value[1::2], strict=True)) if kind == b"hash" else value
            for name, kind, value in zip(names, kinds, found, strict=True)
        }


def _pair(fields: Sequence[bytes]) -> dict[str, str]:
    text = [field.decode() for field in fields]
    return dict(zip(text[::2], text[1::2], strict=True))
