"""A conversation in hand."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from hachat.bot.visit import VISIT_MESSAGES, Visit, Visits, make_receipt
from hachat.core.messages import Message, Reply, Room, User
from hachat.store.commits import Commit, Head, Token
from hachat.tasks.hands import Clock, Hand

TOKEN = Token("chat", "1-1", "t/a")
HEAD = Head("m1", b"{}")


@pytest.mark.parametrize(
    ("handled", "now", "leaving", "gives_way"),
    [
        (1, 9.0, False, False),
        (VISIT_MESSAGES, 9.0, False, True),
        (1, 10.0, False, True),
        (1, 9.0, True, True),
    ],
    ids=["fresh", "by number", "by time", "leaving"],
)
def test_when_others_come_first(handled: int, now: float, leaving: bool, gives_way: bool) -> None:  # noqa: FBT001 - a table
    """After its share of messages or time, and on leaving, the rest of a conversation is for others."""
    visit = Visit(TOKEN, until=10.0, handled=handled, head=HEAD)

    assert visit.make_commit(now, leaving=leaving) == Commit(TOKEN, HEAD, (), gives_way)


def test_going_on_forgets_what_was() -> None:
    """Nothing of one message is committed with the next."""
    visit = Visit(TOKEN, 10.0, head=HEAD, replies=[Reply("r", "t/a")], give_up="no", ended=True)
    visit.go_to(Head("m2", b"{}"))

    assert visit.make_commit(0.0, leaving=False) == Commit(TOKEN, Head("m2", b"{}"))
    assert not visit.ended


def test_a_conversation_aside_is_one_message_s() -> None:
    """It is named after both, and once there the message is not moved again."""
    visit = Visit(TOKEN, 10.0, head=HEAD)
    assert visit.aside == "t/a#m1"
    visit.token = Token("chat", "1-1", "t/a#m1")
    assert visit.aside == "t/a#m1"


async def test_losing_stops_only_its_own_handler() -> None:
    """A hand that has gone on to another conversation is left in peace."""
    hand: Hand[Visit] = Hand(Clock(1.0))
    mine, other = Visit(TOKEN, 10.0, hand=hand), Visit(TOKEN, 10.0, hand=hand)
    hand.item = other
    mine.lose()
    assert mine.lost
    assert not hand.scope.cancel_called
    hand.scope = trio.CancelScope()
    other.lose()
    assert hand.scope.cancel_called


async def test_room_is_what_is_neither_in_hand_nor_promised() -> None:
    """A read that is under way has been promised the rest, and whoever waits hears when a conversation ends."""
    visits = Visits(2)
    one, _ = (visits.begin(Token("chat", entry, "t/a"), 10.0) for entry in ("1-1", "1-2"))
    assert (visits.free, visits.room) == (0, 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(visits.freed.park)
        await trio.testing.wait_all_tasks_blocked()
        visits.end(one)
    visits.asked = 1
    assert (visits.free, visits.room) == (1, 0)
    for entry in ("1-3", "1-4"):
        visits.begin(Token("chat", entry, "t/b"), 10.0)
    assert (visits.free, visits.room) == (0, -2)
    visits.end(one)  # what is gone cannot go twice


def test_a_receipt_names_the_event() -> None:
    """The adapter finds by it what the receipt is for, and its id is the same in a second run."""
    message = Message("m1", Room("t", "a"), User("u"), "hi", 1.0, event="e1")

    assert make_receipt(message) == Reply("m1/receipt", "t/a", "e1", op="receipt", about="m1")
