"""Calls that want an answer: asked through a room's outbox, told in a stream for each node.

A call (who is in a room, who is this user) is a `Reply` that goes the way of all replies, so the master makes it in
its turn and no other node needs the chat service.  What became of it comes back with the master's report.  A node keeps a
blocked reader on its stream only while somebody waits; it reads the stream from its beginning, so that no answer is
lost with a connection.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from random import random

import structlog
import trio

from hachat.core.backoff import backoff
from hachat.core.errors import (
    CallError,
    QueueFull,
    StoreError,
    StoreRefused,
    Unsupported,
    WireError,
)
from hachat.core.ids import make_id
from hachat.core.messages import Answer, Operation, Reply, User
from hachat.core.settings import QueueSettings
from hachat.core.wire import decode_answer
from hachat.store.commits import mark
from hachat.store.keys import Keys
from hachat.store.link import Link, Reader
from hachat.store.retry import retry
from hachat.store.scripts import load
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

BLOCK = 1.0
"""Seconds a read waits at the server; for as long a reader stays when nobody waits any more."""

_ASK = load("ask")


class Answers:
    """The calls of one node; `consumer` is `<node>:<boot>`, `limits` tells how much may wait in an outbox now.

    Nobody is told anything unless `run` is running.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        consumer: str,
        limits: Callable[[], QueueSettings] = QueueSettings,
    ) -> None:
        self._link = link
        self._keys = keys
        self._consumer = consumer
        self._limits = limits
        self._waiting: dict[str, _Caller] = {}
        self._news = trio.Event()

    async def ask(
        self, op: Operation, room: str, *, about: str = "", args: dict[str, str] | None = None
    ) -> Sequence[User]:
        """Have the master ask the chat service, and return who was found; the caller sets the deadline.

        `room` is an address, `about` the id of the message for whose sake it is asked.

        Raises:
            Unsupported: the service can never tell.
            CallError: it could not tell.
            QueueFull: too much waits in that room.
            WireError: the call is too large.
            StoreRefused: Redis did not take it.
        """
        id_ = make_id(time.time(), secrets.randbits(80))
        call = Reply(id_, room, op=op, about=about, args=args or {}, answer=self._consumer, v=2)
        caller = self._waiting[id_] = _Caller()
        self._news.set()
        try:
            await retry(partial(self._queue, call), unless=StoreRefused)
            await caller.told.wait()
        finally:
            del self._waiting[id_]
        return _read(caller.answer)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hear what is answered, for ever."""
        task_status.started()
        while True:
            await self._news.wait()
            self._news = trio.Event()
            waits = backoff(0.1, 2.0, random)
            while self._waiting:
                try:
                    await self._listen()
                except StoreError as error:
                    report(log, "cannot hear the answers to calls", error)
                    await trio.sleep(next(waits))

    async def _queue(self, call: Reply) -> None:
        of, most = self._keys.of, self._limits().outbox
        keys = (self._keys.outbox(call.room), *map(of, ("outready", "counters", "bell")))
        if await self._link.script(_ASK, keys, (call.room, most, mark(call))) == b"FULL":
            raise QueueFull(f"{most} replies are waiting in {call.room}; try again later")

    async def _listen(self) -> None:
        after = "0"
        async with self._link.reader(BLOCK) as reader:
            while self._waiting:
                after = await self._hear(reader, after)

    async def _hear(self, reader: Reader, after: str) -> str:
        key = self._keys.answers(self._consumer)
        reply = await reader.read("XREAD", "BLOCK", int(BLOCK * 1000), "STREAMS", key, after)
        for entry, fields in reply[0][1] if reply else ():
            after = entry.decode()
            self._tell(fields[1])
        return after

    def _tell(self, data: bytes) -> None:
        try:
            answer = decode_answer(data)
        except WireError as error:
            log.error("cannot read an answer", error=str(error))
            return
        if caller := self._waiting.get(answer.id):
            caller.answer = answer
            caller.told.set()


class _Caller:
    """Whoever waits for an answer."""

    def __init__(self) -> None:
        self.told = trio.Event()
        self.answer = Answer("", "")


def _read(answer: Answer) -> Sequence[User]:
    if not answer.supported:
        raise Unsupported(answer.error)
    if answer.error:
        raise CallError(answer.error)
    return answer.users
