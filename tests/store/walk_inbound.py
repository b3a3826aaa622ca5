"""A walk through the inbound queue: each step is done to a real server and to the model, and then they are compared.

Steps are chosen by whoever walks: hypothesis, or dice.  A step that cannot be done just now does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from hachat.core.errors import HachatError, QueueFull, StoreRefused
from hachat.core.messages import Message, Reply, Room, User
from hachat.core.settings import QueueSettings
from hachat.core.wire import decode_inbound
from hachat.store.commits import Commit, Committed, Head, Held, Later, Token, Verdict
from hachat.store.embedded import Server
from hachat.store.inbound import Inbound
from hachat.store.keys import GROUP, LANES, Lane
from hachat.store.scripts import load
from tests.store.instant import now
from tests.store.mutations import Mutation
from tests.store.queue_model import CONVERSATIONS, DEPTH, MAILBOX, OUTBOX, ROOMS, Plan
from tests.store.walk_ground import Ground

_BEAT = load("beat")


@dataclass(frozen=True)
class Draft:
    """How to commit what a node holds: with how many replies, from which room on one in each, and what else."""

    replies: int = 1
    room: str = "test/a"
    look: bool = False
    give_way: bool = False
    give_up: bool = False
    later: bool = False


@dataclass
class Node:
    """A process: its queue, and what it believes to hold."""

    queue: Inbound
    held: dict[str, tuple[Token, Head | None]] = field(default_factory=dict)
    alive: bool = True


class InboundWalk(Ground):
    """The inbound queue, and the nodes that work through it."""

    def __init__(self, server: Server, mutation: Mutation | None = None) -> None:
        super().__init__(server, mutation)
        self.nodes: dict[str, Node] = {}
        self._messages: dict[str, list[Message]] = {name: [] for name in ROOMS}
        now(self._queue("nobody").prepare())
        for _ in range(2):
            self.join()

    # What is queued.

    def enqueue(self, conversation: str, fresh: int, old: int) -> None:
        """Queue some new messages, and one that was queued or refused before."""
        made = [self._make(conversation) for _ in range(fresh)]
        known = self._messages[conversation]
        values = [*known[-old:][:1], *made]
        known += made
        outcomes = now(
            self.nodes[self.living[0]].queue.enqueue_all(values, CONVERSATIONS[conversation])
        )
        for value, outcome in zip(values, outcomes, strict=True):
            if isinstance(outcome, StoreRefused):
                assert self.is_troubled(conversation), outcome
                continue
            answer = self.inbound.enqueue(conversation, value.id)
            expected = {"OK": True, "DUP": False}.get(answer)
            assert outcome is expected or isinstance(outcome, QueueFull), outcome
            assert isinstance(outcome, QueueFull) == (expected is None), answer

    # What nodes do.

    @property
    def living(self) -> list[str]:
        """The consumers that are alive."""
        return [name for name, node in self.nodes.items() if node.alive]

    @property
    def dead(self) -> list[str]:
        """The consumers whose lease of life has run out."""
        return [name for name, node in self.nodes.items() if not node.alive]

    @property
    def bereaved(self) -> set[str]:
        """The tokens that dead nodes hold."""
        return {
            entry for entry, owner in self.inbound.owners.items() if not self.nodes[owner].alive
        }

    def join(self) -> None:
        """Let another node come."""
        name = f"n{next(self.numbers)}:boot"
        self.nodes[name] = Node(self._queue(name))
        self.arrange("ZADD", self.keys.of("nodes"), 1e15, name)

    def die(self, name: str) -> None:
        """Let a node's lease of life run out; the process may not know it yet, and another one comes."""
        self.nodes[name].alive = False
        self.arrange("ZADD", self.keys.of("nodes"), 1, name)
        self.join()

    def wake(self, name: str, lane: Lane, most: int, *, heard: bool) -> None:
        """Let a node that was taken for dead take conversations, and another one beat before it does."""
        if not self.full:  # without memory nobody beats
            self._turn(name, lane, [], most, heard=heard)
            keys = (self.keys.of("nodes"), *map(self.keys.ready, LANES))
            now(self.link.script(_BEAT, keys, ("watcher:boot", 1, GROUP)))

    def turn(
        self,
        name: str,
        lane: Lane,
        drafts: Sequence[Draft],
        most: int | None,
        *,
        heard: bool = True,
    ) -> None:
        """Let a node commit what it holds, as far as there are drafts, and take others; it may not hear the answer."""
        node = self.nodes[name]
        held = [pair for pair in node.held.values() if pair[0].lane == lane]
        commits = [
            self._draft(token, head, draft)
            for (token, head), draft in zip(held, drafts, strict=False)
        ]
        self._turn(name, lane, commits, most if node.alive else None, heard=heard)
        self.again = partial(self._turn, name, lane, commits, None, heard=heard)

    def progress(self, name: str, pick: int, draft: Draft, *, aside: bool, heard: bool) -> None:
        """Let a node speak early about a message it holds, and perhaps move it aside; it may not hear the answer."""
        held = [pair for pair in self.nodes[name].held.values() if pair[1] is not None]
        if held:
            token, head = held[pick % len(held)]
            commit = self._draft(token, head, replace(draft, look=False))
            name_aside = token.conversation.rstrip("#") + "#" if aside else ""
            again = partial(self._progress, name, commit, name_aside, heard=heard)
            again()
            self.again = again

    def find_unheard(self, name: str) -> None:
        """Let a living node ask what it holds."""
        if not self.nodes[name].alive:
            return
        for lane in LANES:
            tokens = now(self.nodes[name].queue.held(lane))
            mine = self.inbound.held_by(name)
            assert {token.entry for token in tokens} == {
                entry for entry in mine if CONVERSATIONS[self.inbound.places[entry]] == lane
            }
            for token in tokens:
                self.nodes[name].held.setdefault(token.entry, (token, None))

    def hand_back(self, name: str) -> None:
        """Let a node give back all it holds."""
        for lane in LANES:
            mine = [
                entry
                for entry in self.inbound.held_by(name)
                if CONVERSATIONS[self.inbound.places[entry]] == lane
            ]
            self.tick()
            try:
                assert now(self.nodes[name].queue.hand_back(lane)) == len(mine)
            except StoreRefused:
                assert self.full
                continue
            for entry in mine:
                self.inbound.let_go(entry)

    def reap(self, name: str, most: int) -> None:
        """Let a living node take over what dead ones hold."""
        if not self.nodes[name].alive:
            return
        before = {entry: self.inbound.owners[entry] for entry in self.bereaved}
        tokens = now(self.nodes[name].queue.reap(most))
        owners = self.read_owners()
        moved = {entry for entry in before if owners.get(entry) != before[entry]}
        kept = {entry for entry in sorted(moved) if self._die_with(entry, name)}
        assert {token.entry for token in tokens} == kept, "taken over, and nobody was told"
        assert len(kept) <= most
        self.nodes[name].held |= {token.entry: (token, None) for token in tokens}

    def _queue(self, name: str) -> Inbound:
        limits = QueueSettings(depth=DEPTH, mailbox=MAILBOX, outbox=OUTBOX)
        return Inbound(self.link, self.keys, name, limits)

    def _make(self, conversation: str) -> Message:
        number = next(self.numbers)
        adapter, _, room = conversation.partition("/")
        return Message(
            f"m{number}", Room(adapter, room), User("u"), "hello", 1.0, event=f"e{number}"
        )

    def _draft(self, token: Token, head: Head | None, draft: Draft) -> Commit:
        if head is None or draft.look:
            return Commit(token, give_way=draft.give_way)
        replies = [
            Reply(f"{head.id}/h/{number}", room, "said", about=head.id, origin=_origin(token))
            for number, room in zip(range(draft.replies), _rooms_from(draft.room), strict=False)
        ]
        why = "given up" if draft.give_up else ""
        later = [Later(f"{head.id}/again", 5.0, token.lane, decode_inbound(head.data))]
        return Commit(
            *(token, head, replies),
            give_way=draft.give_way,
            give_up=why,
            later=later if draft.later else (),
            again=draft.later,
        )

    def _turn(
        self, name: str, lane: Lane, commits: Sequence[Commit], most: int | None, *, heard: bool
    ) -> None:
        node = self.nodes[name]
        try:
            answers, taken = now(node.queue.turn(lane, commits, most))
        except StoreRefused:
            assert self.full
            return
        before = len(self.inbound.owners)
        for commit, answer in zip(commits, answers, strict=True):
            self._compare(name, commit, answer, heard=heard)
        self.lists.write_notes(self._broken())
        room = 0 if most is None else max(0, most + before - len(self.inbound.owners))
        assert len(taken) <= room
        for token, head in taken:
            self.inbound.take(token.entry, token.conversation, name)
            if self.keys.mailbox(token.conversation) not in self.planted:
                assert head is not None
                assert head.id == self.lists.mailboxes[token.conversation][0]
            if heard:
                node.held[token.entry] = (token, head)
        self.outbound.ring()
        assert len(taken) == room or not list(self._find_free(lane)), "a token was not taken"

    def _compare(
        self, name: str, commit: Commit, answer: Committed | HachatError, *, heard: bool
    ) -> None:
        token = commit.token
        if isinstance(answer, HachatError):
            self._excuse(commit, answer)
            return
        verdict, following = answer
        assert verdict is self.inbound.commit(_plan(commit), name)
        assert (following is not None) == (verdict in {Verdict.MORE, Verdict.GONE})
        if following is not None:
            assert following.id == self.lists.mailboxes[token.conversation][0]
        if not heard:
            return
        if following is None:
            self.nodes[name].held.pop(token.entry, None)
        else:
            self.nodes[name].held[token.entry] = (token, following)

    def _progress(self, name: str, commit: Commit, aside: str, *, heard: bool) -> None:
        token, head, held = commit.token, commit.head, self.nodes[name].held
        assert head is not None
        aside = "" if aside == token.conversation else aside
        try:
            told = now(self.nodes[name].queue.progress(token, head, commit.replies, aside=aside))
        except StoreRefused as error:
            self._excuse(commit, error)
            return
        assert told.held is self.inbound.progress(_plan(commit), aside, name)
        self.lists.write_notes(self._broken())
        self.outbound.ring()
        if not heard or token.entry not in held:
            return
        if told.held is Held.DONE:
            del held[token.entry]
        elif told.held is not Held.HELD:
            held[token.entry] = (token, None)
        elif aside:
            held[token.entry] = (Token(token.lane, token.entry, aside), head)

    def _broken(self) -> set[str]:
        """Return the rooms in the place of whose outbox something else stands."""
        return {room for room in ROOMS if self.keys.outbox(room) in self.planted}

    def _excuse(self, commit: Commit, error: HachatError) -> None:
        rooms = [commit.token.conversation, *(reply.room for reply in commit.replies)]
        assert any(map(self.is_troubled, rooms)), error

    def _find_free(self, lane: Lane) -> Iterator[str]:
        held = {self.inbound.places[entry] for entry in self.inbound.owners}
        for conversation, box in self.lists.mailboxes.items():
            if box and conversation not in held and CONVERSATIONS[conversation] == lane:
                yield conversation

    def _die_with(self, entry: str, reaper: str) -> bool:
        if self.keys.mailbox(self.inbound.places[entry]) in self.planted:
            self.inbound.owners[entry] = reaper
            return True
        return self.inbound.die_with(entry, reaper)


def _rooms_from(room: str) -> Iterator[str]:
    rooms = [*ROOMS, *ROOMS]
    return iter(rooms[rooms.index(room) :])


def _plan(commit: Commit) -> Plan:
    return Plan(
        commit.token.entry,
        commit.token.conversation,
        commit.head.id if commit.head else "",
        [(reply.room, reply.id) for reply in commit.replies],
        give_way=commit.give_way,
        give_up=bool(commit.give_up),
        later=[later.id for later in commit.later],
        origin=_origin(commit.token),
    )


def _origin(token: Token) -> str:
    return token.conversation.rstrip("#")
