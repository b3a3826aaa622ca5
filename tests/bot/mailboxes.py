"""The inbound queue in memory, with virtual time: what the queue promises, and failures on demand."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import trio

from hachat.core.errors import StoreError, StoreUnavailable
from hachat.core.messages import Message, Reply, Room, User
from hachat.core.wire import encode
from hachat.store.commits import Commit, Committed, Head, Held, Progress, Taken, Token, Verdict
from hachat.store.inbound import Inbound
from hachat.store.keys import LANES, Lane
from hachat.store.link import Reader

AWAY = StoreUnavailable("away")
"""What a lost answer is to whoever asked."""


@dataclass
class Mailboxes(Inbound):
    """Mailboxes, tokens of the chat lane, and what was committed.

    `failures` holds, for each method, what its next calls raise *after* they have done their work, `refusals` what the
    next commits of a head are refused with, `verdicts` what they are answered; `reapable` is what a take-over would
    find, `delays` for how long answers of a method are under way.  `early` are replies that came before their message's commit, `asides` the conversations that tokens stand for
    since a message was moved there, `lost` tokens of which progress is refused,
    `passed_on` those that were left to others without anything being done.  `commits` are those of heads that were finished, `looks` counts the others.
    """

    boxes: dict[str, list[Head]] = field(default_factory=lambda: defaultdict(list))
    ready: list[Token] = field(default_factory=list)
    pending: list[Token] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    failures: dict[str, list[StoreError]] = field(default_factory=lambda: defaultdict(list))
    verdicts: list[Verdict] = field(default_factory=list)
    refusals: list[StoreError] = field(default_factory=list)
    delays: dict[str, float] = field(default_factory=dict)
    handed_back: list[Token] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    reapable: list[Token] = field(default_factory=list)
    mosts: list[int | None] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    said: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    asides: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    requests: set[str] = field(default_factory=set)
    passed_on: list[Token] = field(default_factory=list)
    looks: int = 0
    _news: trio.Event = field(default_factory=trio.Event)
    _entries: itertools.count[int] = field(default_factory=itertools.count)

    def put(self, room: str, *texts: str, receipt: bool = False) -> None:
        """Queue a message for each text, whose id and event it is."""
        for text in texts:
            message = Message(
                text, Room("t", room), User("u"), text, 1.0, event=text, receipt=receipt
            )
            self.put_raw(message.conversation, text, encode(message))

    def put_raw(self, conversation: str, id_: str, data: bytes) -> None:
        """Queue any bytes."""
        if not self.boxes[conversation]:
            self.ready.append(self.make_token(conversation))
        self.boxes[conversation].append(Head(id_, data))
        self._news.set()

    def make_token(self, conversation: str, lane: Lane = "chat") -> Token:
        """Return a new token."""
        return Token(lane, str(next(self._entries)), conversation)

    async def prepare(self) -> None:
        """Have nothing to make."""
        await self._answer("prepare")

    async def read(self, reader: Reader, lane: Lane, count: int) -> list[Token]:
        """Wait for tokens."""
        self.reads.append(count)
        while not self.ready:
            self._news = trio.Event()
            await self._news.wait()
        tokens, self.ready = self.ready[:count], self.ready[count:]
        self.pending += tokens
        await self._answer("read")
        return tokens

    async def held(self, lane: Lane) -> list[Token]:
        """Return what is pending."""
        tokens = [
            Token(token.lane, token.entry, self.asides.get(token.entry, token.conversation))
            for token in self.pending
        ]
        await self._answer("held")
        return tokens

    async def progress(
        self,
        token: Token,
        head: Head,
        replies: Sequence[Reply] = (),
        *,
        begun: Sequence[str] = (),
        request: str = "",
        aside: str = "",
    ) -> Progress:
        """Queue replies early, note what begins, move a message aside."""
        known = set(begun) if request in self.requests else set()
        self.requests |= {request} - {""}
        before = frozenset(self.said[head.id] - known)
        box = self.boxes[token.conversation]
        if self._find(token) is None or token.entry in self.lost or box[:1] != [head]:
            await self._answer("progress")
            return Progress(Held.LOST)
        self.early += [reply.text for reply in replies if reply.id not in before]
        self.said[head.id] |= {*begun, *(reply.id for reply in replies)}
        state = Held.HELD
        if aside:
            state = self._move(token, aside)
        await self._answer("progress")
        return Progress(state, before)

    async def turn(
        self, lane: Lane, commits: Sequence[Commit], most: int | None = None
    ) -> tuple[list[Committed | StoreError], list[Taken]]:
        """Finish heads and take conversations."""
        held = len(self.pending)
        answers = [self._commit(commit) for commit in commits]
        self.mosts.append(most)
        room = 0 if most is None else max(0, most + held - len(self.pending))
        tokens, self.ready = self.ready[:room], self.ready[room:]
        self.pending += tokens
        taken: list[Taken] = [(token, self.boxes[token.conversation][0]) for token in tokens]
        await self._answer("turn")
        return answers, taken

    async def hand_back(self, lane: Lane) -> int:
        """Give back all that is pending."""
        self.handed_back, self.pending = self.pending, []
        await self._answer("hand_back")
        return len(self.handed_back)

    async def reap(self, most: int, served: Collection[Lane] = LANES) -> list[Token]:
        """Take over what may be taken over."""
        tokens, self.reapable = self.reapable[:most], self.reapable[most:]
        self.pending += tokens
        await self._answer("reap")
        return tokens

    @asynccontextmanager
    async def reader(self, longest: float) -> AsyncIterator[Reader]:
        """Stand for the connections, too."""
        yield cast("Reader", None)

    def _commit(self, commit: Commit) -> Committed | StoreError:
        box = self.boxes[commit.token.conversation]
        if commit.head is None:
            self.looks += 1
        elif self.refusals:
            return self.refusals.pop(0)
        elif self.verdicts:
            verdict = self.verdicts.pop(0)
            return verdict, box[0] if verdict is Verdict.GONE else None
        if self._find(commit.token) is None:
            return Verdict.LOST, None
        if commit.head is not None and box[:1] not in ([], [commit.head]):
            return Verdict.GONE, box[0]
        if commit.head is not None and box:
            self.commits.append(commit)
            del box[0]
        return self._go_on(commit, box)

    def _go_on(self, commit: Commit, box: list[Head]) -> Committed:
        if box and not commit.give_way:
            return Verdict.MORE, box[0]
        self._give_back(commit.token)
        if box and commit.head is None:
            self.passed_on.append(commit.token)
        if box:
            self.ready.append(self.make_token(commit.token.conversation))
            self._news.set()
        return Verdict.DONE, None

    def _find(self, token: Token) -> Token | None:
        for held in self.pending:
            stands_for = self.asides.get(held.entry, held.conversation)
            if held.entry == token.entry and stands_for == token.conversation:
                return held
        return None

    def _move(self, token: Token, aside: str) -> Held:
        self.boxes[aside].append(self.boxes[token.conversation].pop(0))
        if len(self.boxes[aside]) > 1 and not self.boxes[token.conversation]:
            self._give_back(token)
            return Held.DONE
        if len(self.boxes[aside]) > 1:
            return Held.QUEUED
        self.asides[token.entry] = aside
        if self.boxes[token.conversation]:
            self.ready.append(self.make_token(token.conversation))
            self._news.set()
        return Held.HELD

    def _give_back(self, token: Token) -> None:
        held = self._find(token)
        if held is not None:
            self.pending.remove(held)

    async def _answer(self, method: str) -> None:
        await trio.sleep(self.delays.get(method, 0.0))
        if self.failures[method]:
            raise self.failures[method].pop(0)
