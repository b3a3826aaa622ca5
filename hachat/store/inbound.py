"""The inbound queue: mailboxes of conversations, and a stream that says which of them have something waiting.

A message waits in its conversation's mailbox.  While a mailbox is not empty, its conversation stands exactly once in
the lane's ready stream: that entry is the conversation's *token*.  A node that reads the token handles the head,
commits it and goes on with the same mailbox, so messages of a conversation are handled one after the other, and
different conversations side by side on all nodes.  Every step is one script, and repeating it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from hachat.core import wire
from hachat.core.errors import QueueFull, StoreRefused
from hachat.core.messages import Inbound as Value
from hachat.core.messages import Reply
from hachat.core.settings import QueueSettings
from hachat.store.keys import GROUP, LANES, Keys, Lane
from hachat.store.link import Link, Reader
from hachat.store.scripts import load

_ENQUEUE, _COMMIT, _CLOSE, _HAND_BACK, _REAP = map(
    load, ("enqueue", "commit", "close", "hand_back", "reap")
)

BLOCK = 5.0
"""Seconds a read waits at the server before it asks again."""

DEATHS = 3
"""Nodes a message may take along before it is given up."""


@dataclass(frozen=True, slots=True)
class Token:
    """The right to handle a conversation, held until it is given back."""

    lane: Lane
    entry: str
    conversation: str


@dataclass(frozen=True, slots=True)
class Head:
    """A waiting message as it is stored."""

    id: str
    data: bytes


class Verdict(Enum):
    """What became of a commit; see `commit.lua`."""

    MORE = b"MORE"
    DONE = b"DONE"
    GONE = b"GONE"
    LOST = b"LOST"


class Inbound:
    """The inbound queue as one node sees it; `consumer` is `<node>:<boot>`."""

    def __init__(self, link: Link, keys: Keys, consumer: str, limits: QueueSettings) -> None:
        self.limits = limits
        self._link = link
        self._keys = keys
        self._consumer = consumer

    async def enqueue(self, value: Value, lane: Lane) -> bool:
        """Queue `value`; True when it was queued now, False when its event was queued before.

        Raises:
            QueueFull: a limit is reached.
            WireError: it is too large.
            StoreError: Redis did not take it; asking again is safe.
        """
        limits = self.limits
        answer = await self._link.script(
            _ENQUEUE,
            (
                self._keys.seen(value.source),
                self._keys.mailbox(value.conversation),
                self._keys.ready(lane),
                self._keys.of("counters"),
            ),
            (
                value.id.encode() + b"|" + wire.encode(value),
                value.conversation,
                lane,
                limits.depth,
                limits.mailbox,
                int(limits.dedupe * 1000),
            ),
        )
        if answer == b"FULL":
            raise QueueFull(f"{limits.depth} messages are waiting in lane {lane}; try again later")
        if answer == b"BUSY":
            raise QueueFull(
                f"{limits.mailbox} messages are waiting in {value.conversation}; try again later"
            )
        return bool(answer == b"OK")

    async def prepare(self) -> None:
        """Make the consumer groups, which a new or emptied Redis does not have."""
        for lane in LANES:
            try:
                await self._link.command(
                    "XGROUP", "CREATE", self._keys.ready(lane), GROUP, "0", "MKSTREAM"
                )
            except StoreRefused as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def read(self, reader: Reader, lane: Lane, count: int) -> list[Token]:
        """Wait up to `BLOCK` seconds for tokens, and return at most `count`."""
        return self._tokens(
            lane,
            await reader.read(
                *(
                    "XREADGROUP",
                    "GROUP",
                    GROUP,
                    self._consumer,
                    "COUNT",
                    count,
                    "BLOCK",
                    int(BLOCK * 1000),
                ),
                *("STREAMS", self._keys.ready(lane), ">"),
            ),
        )

    async def held(self, lane: Lane) -> list[Token]:
        """Return the tokens Redis has given to this node, whether or not the node has heard of it."""
        return self._tokens(
            lane,
            await self._link.command(
                *("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", 10_000),
                *("STREAMS", self._keys.ready(lane), "0"),
            ),
        )

    async def heads(self, conversation: str, count: int) -> list[Head]:
        """Return the next `count` waiting messages of a conversation."""
        items = await self._link.command("LRANGE", self._keys.mailbox(conversation), 0, count - 1)
        return [
            Head(mark.decode("utf-8", "replace"), data)
            for mark, _, data in (item.partition(b"|") for item in items)
        ]

    async def commit(
        self,
        token: Token,
        head: Head,
        replies: Sequence[Reply],
        *,
        give_way: bool = False,
        give_up: str = "",
    ) -> Verdict:
        """Finish `head`: queue its replies and remove it, and with `give_up` keep it as a dead letter for that reason.

        With `give_way`, other conversations come first when more is waiting in this one.

        Raises:
            StoreError: Redis did not answer; asking again is safe.
        """
        of = self._keys.of
        arguments: list[str | bytes] = []
        for reply in replies:
            arguments += (reply.room, reply.id.encode() + b"|" + wire.encode(reply))
        answer = await self._link.script(
            _COMMIT,
            (
                *(self._keys.ready(token.lane), self._keys.mailbox(token.conversation)),
                *(of("counters"), of("outready"), of("bell"), of("deaths"), of("dead")),
                *(self._keys.outbox(reply.room) for reply in replies),
            ),
            (
                *(GROUP, token.entry, self._consumer, token.conversation, head.id, token.lane),
                *("1" if give_way else "0", self.limits.outbox, give_up, *arguments),
            ),
        )
        return Verdict(answer)

    async def close(self, token: Token) -> None:
        """Give back the token of a conversation with nothing waiting."""
        keys = (self._keys.ready(token.lane), self._keys.mailbox(token.conversation))
        await self._link.script(_CLOSE, keys, (GROUP, token.entry, self._consumer))

    async def hand_back(self, lane: Lane) -> int:
        """Give back all tokens of a lane, for others to take at once; return how many there were."""
        count: int = await self._link.script(
            _HAND_BACK, (self._keys.ready(lane),), (GROUP, self._consumer)
        )
        return count

    async def reap(self, most: int) -> list[Token]:
        """Take over at most `most` tokens of nodes that are gone."""
        of = self._keys.of
        answer = await self._link.script(
            _REAP,
            (
                *map(of, ("nodes", "gone", "deaths", "dead", "counters")),
                *map(self._keys.ready, LANES),
            ),
            (GROUP, self._consumer, most, DEATHS, self._keys.mailbox(""), *LANES),
        )
        fields = [field.decode() for field in answer]
        return [
            Token(lane, entry, conversation)
            for name, entry, conversation in zip(
                fields[::3], fields[1::3], fields[2::3], strict=True
            )
            for lane in LANES
            if lane == name
        ]

    @staticmethod
    def _tokens(
        lane: Lane, reply: Iterable[tuple[bytes, list[tuple[bytes, list[bytes] | None]]]] | None
    ) -> list[Token]:
        return [
            Token(lane, entry.decode(), fields[1].decode())
            for _, entries in reply or ()
            for entry, fields in entries
            if fields
        ]
