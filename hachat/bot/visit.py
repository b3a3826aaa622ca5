"""The conversations in hand on this node, and what becomes of the message at the head of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import trio

from hachat.bot.run import Run
from hachat.core.messages import Inbound, Message, Reply, find_cause, name_replies
from hachat.store.commits import Commit, Head, Later, Token
from hachat.store.dialogs import Closing, Question
from hachat.tasks.hands import Hand

VISIT_MESSAGES = 8
"""Messages of one conversation handled before others come first."""

VISIT_SECONDS = 0.25
"""Seconds spent on one conversation before others come first."""


@dataclass(slots=True, eq=False)
class Visit:
    """A conversation in hand; other conversations come first after `until` or once enough was `handled`.

    `head` is what is being handled, if anything: by `run`, since `began`, in `hand`.  It is `ended` when all that is left
    is to tell Redis, `lost` when another node has the conversation, and
    `passed_on` when another should have it.  Whoever is parked on `news` accompanies it, and
    sees to its end.  `replies`, `later`, `again`, `give_up`, `letter`, `opens` and `closes` are what it came to.
    """

    token: Token
    until: float
    handled: int = 0
    head: Head | None = None
    run: Run | None = None
    hand: Hand[Visit] | None = None
    began: float = inf
    news: trio.lowlevel.ParkingLot | None = None
    ended: bool = False
    lost: bool = False
    passed_on: bool = False
    replies: Sequence[Reply] = ()
    later: Sequence[Later] = ()
    again: bool = False
    give_up: str = ""
    letter: Inbound | None = None
    opens: Sequence[Question] = ()
    closes: Closing | None = None

    def go_to(self, head: Head | None) -> None:
        """Turn to another message, or look which is the next."""
        self.head, self.run, self.hand, self.began = head, None, None, inf
        self.news, self.ended = None, False
        self.replies, self.later, self.again = (), (), False
        self.give_up, self.letter = "", None
        self.opens, self.closes = (), None

    def lose(self) -> None:
        """Stop: another node has this conversation, and what is done here comes to nothing."""
        self.lost = True
        if self.hand is not None and self.hand.item is self:
            self.hand.cancel()

    def make_commit(self, now: float, *, leaving: bool) -> Commit:
        """Return what Redis is to be told."""
        enough = leaving or self.handled >= VISIT_MESSAGES or now >= self.until
        give_way = enough if self.head else self.passed_on
        return Commit(
            *(self.token, self.head, self.replies, give_way, self.give_up, self.later, self.again),
            *(self.letter, self.opens, self.closes),
        )

    @property
    def aside(self) -> str:
        """The conversation that holds nothing but the message at the head."""
        name = self.token.conversation
        mark = f"#{self.head.id}" if self.head else ""
        return name if name.endswith(mark) else name + mark


class Visits:
    """The conversations in hand, at most `slots` of them.

    Each is in `in_hand` by the entry of its token; whoever is parked on `freed` hears when one ends.  `asked` is how many
    a read that is under way may still bring.  Whoever changes with Redis what is ours, or compares it, holds `agreeing`:
    while an answer is on its way, Redis and we do not know the same.
    """

    def __init__(self, slots: int) -> None:
        self.in_hand: dict[str, Visit] = {}
        self.freed = trio.lowlevel.ParkingLot()
        self.asked = 0
        self.agreeing = trio.Lock()
        self._slots = slots

    @property
    def free(self) -> int:
        """How many more there could be."""
        return max(0, self._slots - len(self.in_hand))

    @property
    def room(self) -> int:
        """How many more may be taken beside the read, which has been promised the rest; below zero if there are too many."""
        return self._slots - len(self.in_hand) - self.asked

    def begin(self, token: Token, until: float) -> Visit:
        """Take a conversation in hand, in which others come first after `until`."""
        visit = self.in_hand[token.entry] = Visit(token, until)
        return visit

    def end(self, visit: Visit) -> None:
        """Have no more to do with a conversation."""
        self.in_hand.pop(visit.token.entry, None)
        self.freed.unpark_all()


def make_receipt(message: Message) -> Reply:
    """Return what tells the sender that `message` has been dealt with; it follows all its replies to that room."""
    cause = find_cause(message)
    return Reply(
        id=f"{name_replies(message, cause)}/receipt",
        room=message.room.address,
        op="receipt",
        text=message.event,
        about=cause,
    )
