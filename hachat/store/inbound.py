"""The inbound queue: mailboxes of conversations, and a stream that says which of them have something waiting.

A message waits in its conversation's mailbox.  While a mailbox is not empty, its conversation stands exactly once in
the lane's ready stream: that entry is the conversation's *token*.  A node that reads the token handles the head,
commits it and goes on with the same mailbox, so messages of a conversation are handled one after the other, and
different conversations side by side on all nodes.  Every step is one script, and repeating it changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any

from hachat.core.errors import HachatError, QueueFull, StoreError, StoreRefused, WireError
from hachat.core.messages import Inbound as Value
from hachat.core.messages import Reply
from hachat.core.phrases import Phrase
from hachat.core.settings import QueueSettings
from hachat.store.commits import (
    MOST_JOBS,
    VERDICTS,
    Commit,
    Committed,
    Head,
    Held,
    Progress,
    Queued,
    Taken,
    Token,
    mark,
    read_head,
    write_commit,
)
from hachat.store.keys import GROUP, LANES, Keys, Lane
from hachat.store.limits import OUTBOX_FULL
from hachat.store.link import Link, Reader
from hachat.store.scripts import load
from hachat.store.translation import refusal

_ENQUEUE, _TURN, _PROGRESS, _HAND_BACK, _REAP = map(
    load, ("enqueue", "inbound_turn", "progress", "hand_back", "reap")
)

BLOCK = 5.0
"""Seconds a read waits at the server before it asks again."""

BATCH = 64
"""Messages of one call; Redis serves nobody else until it has gone through all of them."""

DEATHS = 3
"""Nodes a message may take along before it is given up."""


_LATER = "try again later"

NOTE = Phrase(
    "This could not be said in {room} ({reason})", room="{room}", reason=Phrase(OUTBOX_FULL)
)
"""What the room that a reply came from is told when there was no place for it in `{room}`."""


class Inbound:
    """The inbound queue as one node sees it; `consumer` is `<node>:<boot>`.

    `note` is what a room is told that a reply came from for which another, `{room}`, had no place.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        consumer: str,
        limits: QueueSettings,
        *,
        note: str = NOTE,
    ) -> None:
        self.limits = limits
        self._note = note
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
        (outcome,) = await self.enqueue_all([value], lane)
        if isinstance(outcome, HachatError):
            raise outcome
        return outcome

    async def enqueue_all(self, values: Sequence[Value], lane: Lane) -> list[Queued]:
        """Queue `values` in their order, and return for each what `enqueue` would return or raise.

        After one that was refused for lack of room, none of the same conversation is queued either.

        Raises:
            StoreError: Redis did not answer; asking again is safe.
        """
        outcomes: list[Queued] = []
        for start in range(0, len(values), BATCH):
            some = values[start : start + BATCH]
            if any(isinstance(outcome, QueueFull | StoreError) for outcome in outcomes):
                outcomes += [QueueFull("messages before it could not be queued")] * len(some)
            else:
                outcomes += await self._enqueue(some, lane)
        return outcomes

    async def _enqueue(self, values: Sequence[Value], lane: Lane) -> list[Queued]:
        limits = self.limits
        # A flood of webhooks fills a few conversations, and may fill the lane with them.
        mailbox = limits.mailbox if lane == "chat" else limits.depth
        arguments: list[str | bytes | int] = [lane, limits.depth, mailbox]
        arguments += (int(limits.dedupe * 1000), self._keys.seen(""), self._keys.mailbox(""))
        faults: dict[int, WireError] = {}
        for number, value in enumerate(values):
            try:
                arguments += (value.source, value.conversation, mark(value))
            except WireError as error:
                faults[number] = error
        answers = iter(
            await self._link.script(
                _ENQUEUE,
                (self._keys.ready(lane), self._keys.of("counters"), self._keys.of("refused")),
                arguments,
            )
        )
        return [
            faults.get(number) or self._read_answer(next(answers), value, lane)
            for number, value in enumerate(values)
        ]

    def _read_answer(self, answer: Any, value: Value, lane: Lane) -> Queued:
        if answer == b"FULL":
            return QueueFull(f"{self.limits.depth} messages are waiting in lane {lane}; {_LATER}")
        if answer == b"BUSY":
            return QueueFull(
                f"{self.limits.mailbox} messages are waiting in {value.conversation}; {_LATER}"
            )
        return refusal(answer) or answer == b"OK"

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
        tokens = self._tokens(
            lane,
            await self._link.command(
                *("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", 10_000),
                *("STREAMS", self._keys.ready(lane), "0"),
            ),
        )
        if not tokens:
            return []
        entries = [f"{self._keys.ready(lane)} {token.entry}" for token in tokens]
        asides = await self._link.command("HMGET", self._keys.of("detached"), *entries)
        return [
            Token(lane, token.entry, aside.decode()) if aside else token
            for token, aside in zip(tokens, asides, strict=True)
        ]

    async def turn(
        self, lane: Lane, commits: Sequence[Commit], most: int | None = None
    ) -> tuple[list[Committed | StoreError], list[Taken]]:
        """Finish heads, and take conversations that are ready: `most`, and one for each that is given back.

        To finish a head is to queue its replies and remove it; what is given up is kept as a dead letter.  A
        conversation with nothing waiting is given back.  A commit that Redis refuses is an error in its place, and has
        changed nothing.

        Args:
            lane: The lane of all of them.
            commits: At most `BATCH`.
            most: None to take nothing; below zero to take fewer than are given back.

        Returns:
            What became of each commit, and the conversations taken with their heads.

        Raises:
            StoreError: Redis did not answer.  Asking again is safe; `held` finds what may have been taken.
        """
        of = self._keys.of
        arguments: list[str | bytes | int] = [GROUP, self._consumer, lane, self.limits.outbox]
        arguments += (self._keys.mailbox(""), self._keys.outbox(""))
        arguments += ("" if most is None else most, MOST_JOBS, len(commits))
        for commit in commits:
            write_commit(commit, arguments)
        arguments.append(self._note)
        names = (
            "counters",
            "outready",
            "bell",
            "deaths",
            "dead",
            "said",
            "detached",
            "jobs",
            "jobdata",
        )
        answer = await self._link.script(
            _TURN, (self._keys.ready(lane), *map(of, names)), arguments
        )
        end = 2 * len(commits)
        asked = len(answer) > end and answer[-1] == b"ASKED"
        head_of = partial(read_head, asked=asked)
        answers = [
            refusal(verdict) or (VERDICTS[verdict], head_of(head))
            for verdict, head in zip(answer[:end:2], answer[1:end:2], strict=True)
        ]
        taken = [
            (Token(lane, entry.decode(), conversation.decode()), head_of(head))
            for entry, conversation, head in zip(
                *(answer[end + n : len(answer) - asked : 3] for n in range(3)), strict=True
            )
        ]
        return answers, taken

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
        """Queue replies of a message that is still being handled, each once, and note which routes are begun.

        `request` names the question: asked again under that name, what it says is begun has not begun before.
        With `aside` the message is moved there, and its conversation goes on without it; the token then stands for
        `aside`, unless that conversation has messages before it.

        Raises:
            StoreError: Redis did not answer, or said no; asking again is safe.
        """
        arguments: list[str | bytes | int] = [GROUP, self._consumer, self.limits.outbox]
        arguments += (self._keys.mailbox(""), self._keys.outbox(""))
        arguments += (token.entry, token.conversation, head.id, aside)
        lines = [f"#{request}", *begun] if request and begun else begun
        arguments.append("".join(f"{line}\n" for line in lines))
        for reply in replies:
            arguments += (reply.room, mark(reply))
        arguments.append(self._note)
        names = ("counters", "outready", "bell", "dead", "said", "detached")
        keys = (self._keys.ready(token.lane), *map(self._keys.of, names))
        state, *before = await self._link.script(_PROGRESS, keys, arguments)
        said = frozenset(before[0].decode().split("\n")) - {""} if before else frozenset()
        return Progress(Held(state), said)

    async def hand_back(self, lane: Lane) -> int:
        """Give back all tokens of a lane, for others to take at once; return how many there were."""
        count: int = await self._link.script(
            _HAND_BACK,
            (self._keys.ready(lane), self._keys.of("detached")),
            (GROUP, self._consumer),
        )
        return count

    async def reap(self, most: int, served: Collection[Lane] = LANES) -> list[Token]:
        """Take over at most `most` tokens of nodes that are gone, of the lanes in `served`."""
        lanes = [lane if lane in served else f"-{lane}" for lane in LANES]
        of = self._keys.of
        answer = await self._link.script(
            _REAP,
            (
                *map(of, ("nodes", "gone", "deaths", "dead", "counters", "said", "detached")),
                *map(self._keys.ready, LANES),
            ),
            (GROUP, self._consumer, most, DEATHS, self._keys.mailbox(""), *lanes),
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
