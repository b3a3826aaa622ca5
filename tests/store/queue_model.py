"""What both queues must look like after each step; values only, no Redis.

It says the same as the scripts, in the plainest way: lists that are appended to and whose heads are removed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from hachat.store.commits import Held, Verdict
from hachat.store.inbound import DEATHS
from hachat.store.keys import Lane

MAILBOX = 4
"""Messages that may wait in a mailbox of the lane of people; in the other one a conversation may fill the lane."""

DEPTH = 8
"""Messages that may wait in a lane."""

OUTBOX = 4
"""Replies that may wait in a room."""

ROOMS: Mapping[str, Lane] = {"test/a": "chat", "test/b": "chat", "test/c": "work"}
"""The conversations in which something is said, and their lanes; replies go to rooms of the same names."""

CONVERSATIONS: Mapping[str, Lane] = {**ROOMS, **{f"{room}#": lane for room, lane in ROOMS.items()}}
"""All conversations: each has one beside it, to which messages are moved that are in its way."""


@dataclass(frozen=True)
class Plan:
    """A commit as the model takes it: whose, of which head (none to look only), with which replies, said for which room."""

    entry: str
    conversation: str
    head: str = ""
    replies: Sequence[tuple[str, str]] = ()
    give_way: bool = False
    give_up: bool = False
    later: Sequence[str] = ()
    origin: str = ""


@dataclass
class Lists:
    """The lists, by conversation or room, and what left them."""

    mailboxes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    outboxes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    finished: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    dead: list[str] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    early: dict[str, set[str]] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def waiting(self, lane: Lane) -> int:
        """Return how many messages wait in a lane."""
        return sum(
            len(box)
            for conversation, box in self.mailboxes.items()
            if CONVERSATIONS[conversation] == lane
        )

    def say(self, message: str, replies: Sequence[tuple[str, str]], origin: str) -> None:
        """Queue those replies to a message that were not queued before; of one without a place `origin` is to be told."""
        before = self.early.get(message, set())
        for room, reply in replies:
            if reply not in before:
                assert reply not in self.said, f"{reply} is said twice"
                self.said.add(reply)
                outbox = self.outboxes[room]
                if len(outbox) < OUTBOX:
                    outbox.append(reply)
                    continue
                self.dead.append(reply)
                if origin != room:
                    self.notes.append((origin, f"{reply}/note"))

    def write_notes(self, broken: Container[str]) -> None:
        """Queue what rooms are to be told, where there is a place for it."""
        for room, note in self.notes:
            if len(self.outboxes[room]) < OUTBOX and room not in broken:
                self.outboxes[room].append(note)
        self.notes.clear()

    def remember(self, message: str, replies: Sequence[tuple[str, str]]) -> None:
        """Keep in mind which replies to a message have been queued."""
        if replies or message in self.early:
            self.early.setdefault(message, set()).update(reply for _, reply in replies)

    @property
    def outgoing(self) -> int:
        """How many replies wait."""
        return sum(map(len, self.outboxes.values()))


@dataclass
class InboundModel:
    """Who holds which token, what it stands for, and how many nodes died with a message.

    `owners`, `places` (conversations) and `asides` (those it stands for instead of the one it names) are by entries.
    """

    lists: Lists
    owners: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    asides: dict[str, str] = field(default_factory=dict)
    deaths: Counter[str] = field(default_factory=Counter)
    known: set[str] = field(default_factory=set)

    def enqueue(self, conversation: str, id_: str) -> str:
        """Queue a message and return what is answered."""
        lane, box = CONVERSATIONS[conversation], self.lists.mailboxes[conversation]
        if id_ in self.known:
            return "DUP"
        if self.lists.waiting(lane) >= DEPTH:
            return "FULL"
        if lane == "chat" and len(box) >= MAILBOX:
            return "BUSY"
        self.known.add(id_)
        box.append(id_)
        return "OK"

    def take(self, entry: str, conversation: str, consumer: str) -> None:
        """Note that a token is given to a node: it must have been free."""
        assert entry not in self.owners, f"{entry} of {conversation} is held by two nodes"
        assert conversation not in {self.places[held] for held in self.owners}, (
            f"{conversation} has two tokens"
        )
        self.owners[entry], self.places[entry] = consumer, conversation

    def commit(self, plan: Plan, consumer: str) -> Verdict:
        """Finish a head, and return what is answered."""
        if self.owners.get(plan.entry) != consumer or self.places[plan.entry] != plan.conversation:
            return Verdict.LOST
        box = self.lists.mailboxes[plan.conversation]
        if box and not plan.head and not plan.give_way:
            return Verdict.MORE
        if box and plan.head and box[0] != plan.head:
            return Verdict.GONE
        if box and plan.head:
            self._finish(plan, box)
            if box and not plan.give_way:
                return Verdict.MORE
        self.let_go(plan.entry)
        return Verdict.DONE

    def _finish(self, plan: Plan, box: list[str]) -> None:
        self.lists.say(plan.head, plan.replies, plan.origin)
        if plan.give_up:
            self.lists.dead.append(plan.head)
        if plan.later:
            self.lists.jobs.update(plan.later)
            self.lists.early.setdefault(plan.head, set()).update(reply for _, reply in plan.replies)
        else:
            self.lists.early.pop(plan.head, None)
        self._end(box)

    def progress(self, plan: Plan, aside: str, consumer: str) -> Held:
        """Queue early replies, move a message aside, and return what is answered."""
        if self.owners.get(plan.entry) != consumer:
            return Held.LOST
        place, aside = (
            (aside, "") if aside == self.asides.get(plan.entry) else (plan.conversation, aside)
        )
        box = self.lists.mailboxes[place]
        if box[:1] != [plan.head]:
            return Held.LOST
        self.lists.say(plan.head, plan.replies, plan.origin)
        self.lists.remember(plan.head, plan.replies)
        if not aside:
            return Held.HELD
        self.lists.mailboxes[aside].append(box.pop(0))
        if len(self.lists.mailboxes[aside]) > 1 and not box:
            self.let_go(plan.entry)
            return Held.DONE
        if len(self.lists.mailboxes[aside]) > 1:
            return Held.QUEUED
        self.places[plan.entry] = self.asides[plan.entry] = aside
        return Held.HELD

    def die_with(self, entry: str, reaper: str) -> bool:
        """Note that a dead node's token was taken over; return whether it still stands for something."""
        box = self.lists.mailboxes[self.places[entry]]
        if box:
            self.deaths[box[0]] += 1
        if box and self.deaths[box[0]] >= DEATHS:
            self.lists.dead.append(box[0])
            self.lists.early.pop(box[0], None)
            self._end(box)
        if box:
            self.owners[entry] = reaper
        else:
            self.let_go(entry)
        return bool(box)

    def _end(self, box: list[str]) -> None:
        self.deaths.pop(box[0], None)
        self.lists.finished.add(box.pop(0))

    def let_go(self, entry: str) -> None:
        """Note that a token is no more, or another one stands in its place."""
        del self.owners[entry], self.places[entry]
        self.asides.pop(entry, None)

    def held_by(self, consumer: str) -> set[str]:
        """Return the tokens a node holds."""
        return {entry for entry, owner in self.owners.items() if owner == consumer}


@dataclass
class OutboundModel:
    """Which rooms are due, and whose note each bears (`doubt`, or the token of a master)."""

    lists: Lists
    lease: str = ""
    due: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)

    def ring(self) -> None:
        """Make rooms due that have just got their first reply."""
        known = self.due | self.notes.keys() | self.deferred
        self.due |= {room for room, box in self.lists.outboxes.items() if box and room not in known}

    deferred: set[str] = field(default_factory=set)

    def report(self, token: str, room: str, id_: str, outcome: str, *, later: bool) -> None:
        """Note what became of a head."""
        truthful = outcome == "sent" and self.notes.get(room) == token
        box = self.lists.outboxes[room]
        if (token != self.lease and not truthful) or box[:1] != [id_]:
            return
        if outcome in {"sent", "dead"}:
            (self.lists.sent.add if outcome == "sent" else self.lists.dead.append)(box.pop(0))
        self.due.discard(room)
        self.deferred.discard(room)
        if outcome == "doubt":
            self.notes[room] = "doubt"
        else:
            self.notes.pop(room, None)
        if box:
            (self.deferred if later else self.due).add(room)

    def take(self, token: str, room: str) -> tuple[str, bool]:
        """Take the head of a room that is due, and return it, and whether it is in doubt."""
        assert room in self.due, f"{room} is taken and was not due"
        self.due.remove(room)
        self.deferred.add(room)
        doubt = self.notes.get(room) not in {None, token}
        self.notes[room] = "doubt" if doubt else token
        return self.lists.outboxes[room][0], doubt

    def inherit(self) -> None:
        """Make the rooms due that somebody may be sending to."""
        self.make_due(set(self.notes))

    def make_due(self, rooms: set[str]) -> None:
        """Let the time come for rooms that had to wait."""
        moved = rooms & (self.deferred | self.due)
        self.deferred -= moved
        self.due |= moved
