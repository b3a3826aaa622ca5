"""The inbound queue in memory, with virtual time: what the queue promises, and failures on demand."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import trio

from hachat.core.errors import StoreError, StoreUnavailable
from hachat.core.messages import Message, Reply, Room, User
from hachat.core.wire import encode
from hachat.store.inbound import Head, Inbound, Token, Verdict
from hachat.store.keys import Lane
from hachat.store.link import Reader

AWAY = StoreUnavailable("away")
"""What a lost answer is to whoever asked."""


@dataclass
class Commit:
    """A commit as it was asked for."""

    message: str
    replies: Sequence[Reply]
    give_way: bool
    give_up: str


@dataclass
class Mailboxes(Inbound):
    """Mailboxes, tokens of the chat lane, and what was committed.

    `failures` holds, for each method, what its next calls raise *after* they have done their work; `reapable` is what
    a take-over would find.
    """

    boxes: dict[str, list[Head]] = field(default_factory=lambda: defaultdict(list))
    ready: list[Token] = field(default_factory=list)
    pending: list[Token] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    failures: dict[str, list[StoreError]] = field(default_factory=lambda: defaultdict(list))
    verdicts: list[Verdict] = field(default_factory=list)
    handed_back: list[Token] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    reapable: list[Token] = field(default_factory=list)
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
        tokens = list(self.pending)
        await self._answer("held")
        return tokens

    async def heads(self, conversation: str, count: int) -> list[Head]:
        """Look into a mailbox."""
        self.looks += 1
        heads = self.boxes[conversation][:count]
        await self._answer("heads")
        return heads

    async def commit(
        self,
        token: Token,
        head: Head,
        replies: Sequence[Reply],
        *,
        give_way: bool = False,
        give_up: str = "",
    ) -> Verdict:
        """Finish a head, or answer the next of `verdicts`."""
        verdict = self.verdicts.pop(0) if self.verdicts else self._finish(token, head)
        if verdict is Verdict.MORE:
            self.commits.append(Commit(head.id, replies, give_way, give_up))
            verdict = self._go_on(token, give_way=give_way)
        await self._answer("commit")
        return verdict

    async def close(self, token: Token) -> None:
        """Give back the token of an empty mailbox."""
        self._give_back(token)
        await self._answer("close")

    async def hand_back(self, lane: Lane) -> int:
        """Give back all that is pending."""
        self.handed_back, self.pending = self.pending, []
        await self._answer("hand_back")
        return len(self.handed_back)

    async def reap(self, most: int) -> list[Token]:
        """Take over what may be taken over."""
        tokens, self.reapable = self.reapable[:most], self.reapable[most:]
        self.pending += tokens
        await self._answer("reap")
        return tokens

    @asynccontextmanager
    async def reader(self, longest: float) -> AsyncIterator[Reader]:
        """Stand for the connections, too."""
        yield cast("Reader", None)

    def _finish(self, token: Token, head: Head) -> Verdict:
        if token not in self.pending:
            return Verdict.LOST
        box = self.boxes[token.conversation]
        if box[:1] != [head]:
            return Verdict.GONE
        del box[0]
        return Verdict.MORE

    def _go_on(self, token: Token, *, give_way: bool) -> Verdict:
        more = bool(self.boxes[token.conversation])
        if more and not give_way:
            return Verdict.MORE
        self._give_back(token)
        if more:
            self.ready.append(self.make_token(token.conversation))
            self._news.set()
        return Verdict.DONE

    def _give_back(self, token: Token) -> None:
        if token in self.pending:
            self.pending.remove(token)

    async def _answer(self, method: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.failures[method]:
            raise self.failures[method].pop(0)
