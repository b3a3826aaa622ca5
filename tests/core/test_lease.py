"""The lease as arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.lease import ALONE, RETRY, Changed, Event, Lease, Refused, Sight, Token, Watch
from hachat.core.timing import Timing

TIMING = Timing(
    ttl=10.0, renew=2.0, op_timeout=0.5, margin=1.0, send_timeout=2.0, lock_delay=12.0, drift=0.01
)
SPAN = 10.0 * 0.99 - 1.0
TOKEN = Token(0, 7, "a", "a1")
BOOTED = 100.0

times = st.floats(0, 1e6)
jitters = st.floats(0, 1)


def lease(sent: float = 0.0) -> Lease:
    """Return a lease that was asked for at `sent`."""
    return Lease(TOKEN, TIMING, sent, 0.5)


def watch(*events: Event, at: float = BOOTED) -> Watch:
    """Return the watch of a node that heard these events at one moment."""
    made = Watch("b", "b1", TIMING)
    for event in events:
        made.hear(event, at)
    return made


def event(kind: str, number: int = 1, identity: str = "x@0", token: Token | None = TOKEN) -> Event:
    """Return the event of that number."""
    return Event(kind, Sight(f"{number}-0", identity), token)  # type: ignore[arg-type]  # each test spells a kind


@pytest.mark.parametrize("text", ["a/b1/0.7", "host.example.org/01J/12.1700000000000"])
def test_a_token_reads_as_it_writes(text: str) -> None:
    """What is written is what is read."""
    assert str(Token.parse(text)) == text


@pytest.mark.parametrize("text", ["", "a", "a/b", "a/b/1", "a/b/x.1", "a/b/1.2.3"])
def test_what_is_no_token_is_refused(text: str) -> None:
    """A key that somebody else wrote is not taken for a token."""
    with pytest.raises(ValueError, match=r".*"):
        Token.parse(text)


def test_later_terms_compare_greater() -> None:
    """The config epoch weighs more than the epoch, and both more than names."""
    early, later, latest = Token(0, 9, "z", "z1"), Token(1, 2, "b", "b1"), Token(1, 3, "a", "a1")
    assert early < later < latest


@given(sent=times, took=times, jitter=jitters)
def test_a_lease_counts_from_the_question(sent: float, took: float, jitter: float) -> None:
    """However late the answer, the lease ends a span after the question was sent."""
    held = Lease(TOKEN, TIMING, sent, jitter)
    assert held.remaining(sent + took) == max(0.0, sent + SPAN - (sent + took))


@given(jitter=jitters)
def test_renewals_are_spread(jitter: float) -> None:
    """Renewals come every `renew` seconds, give or take a tenth."""
    assert 1.8 <= Lease(TOKEN, TIMING, 0.0, jitter).due <= 2.2 + 1e-9


def test_a_confirmed_renewal_prolongs_from_its_question() -> None:
    """The time the answer took is not ours."""
    held = lease()
    held.confirm(sent=2.0, now=2.4, jitter=0.5)
    assert held.until == 2.0 + SPAN
    assert held.due == 4.0


def test_doubt_asks_again_soon_and_prolongs_nothing() -> None:
    """An unanswered renewal leaves the deadline where it was."""
    held = lease()
    held.doubt(now=2.5)
    assert held.due == 2.5 + RETRY
    assert held.until == SPAN


def test_a_lease_that_ended_stays_ended() -> None:
    """An answer after the deadline revives nothing: what was done in the lease's name is cancelled already."""
    held = lease()
    held.confirm(sent=SPAN - 0.1, now=SPAN, jitter=0.5)
    assert held.remaining(SPAN) == 0.0
    held.lose(SPAN)
    assert held.until == SPAN
    assert held.why_lost == "paused"


def test_a_lease_that_is_taken_ends_at_once() -> None:
    """Whoever hears that it is another's has none, and no late answer gives it back."""
    held = lease()
    held.lose(1.0)
    held.confirm(sent=1.0, now=1.1, jitter=0.5)
    assert held.remaining(0.0) == 0.0
    assert held.why_lost == "taken"


def test_nobody_asks_before_seeing_anything() -> None:
    """A node that has not reached Redis has no question to ask."""
    assert watch().due == float("inf")


@pytest.mark.parametrize("kind", ["connected", "released"])
def test_what_has_ended_is_asked_for_at_once(kind: str) -> None:
    """A node that has just come, or has heard of a release, does not wait."""
    assert watch(event(kind)).due == BOOTED


@pytest.mark.parametrize("kind", ["acquired", "renewed"])
def test_a_living_lease_is_asked_for_after_its_ttl(kind: str) -> None:
    """Each sign of life starts the wait anew."""
    seen = watch(event("connected"), event(kind, 2))
    assert seen.due == BOOTED + TIMING.ttl


def test_a_question_says_what_was_seen_and_for_how_long() -> None:
    """Silence is of the last event, age of the server since it first answered."""
    seen = watch(event("connected"))
    seen.ask(BOOTED)
    seen.refuse(Refused("HELD", 5.0), BOOTED)
    seen.hear(event("renewed", 2), BOOTED + 3)
    asked = seen.ask(BOOTED + 5)
    assert asked.sight == Sight("2-0", "x@0")
    assert (asked.silence, asked.age) == (2.0, 5.0)


def test_an_order_is_no_sign_of_the_master() -> None:
    """Whoever hears of one asks at once, and has waited for as long as before; on another server everything begins anew."""
    seen = watch(event("renewed"))
    seen.hear(event("control", 2, token=None), BOOTED + 3)
    asked = seen.ask(BOOTED + 4)
    assert seen.due == BOOTED + 3
    assert (asked.sight.event, asked.silence) == ("2-0", 4.0)
    seen.hear(event("control", 3, "y@0", token=None), BOOTED + 5)
    assert seen.ask(BOOTED + 6).silence == 1.0


def test_a_repeated_event_does_not_break_the_silence() -> None:
    """Hearing the same event again is no sign of life."""
    seen = watch(event("renewed"))
    seen.hear(event("connected"), BOOTED + 3)
    assert seen.ask(BOOTED + 5).silence == 5.0


def test_another_server_starts_both_waits_anew() -> None:
    """Neither silence nor age carries over to another Redis, and no floor of 0 either: it may have forgotten."""
    seen = watch(event("connected", token=None))
    assert seen.floor == 0
    seen.hear(event("connected", identity="y@1", token=None), BOOTED + 3)
    asked = seen.ask(BOOTED + 5)
    assert (asked.silence, asked.age, asked.floor) == (2.0, 0.0, 1)
    seen.refuse(Refused("WAIT", 7.0), BOOTED + 6)
    assert seen.ask(BOOTED + 8).age == 2.0


def test_a_server_without_replicas_is_not_known_yet() -> None:
    """Its predecessor may keep them, and with them a lease; what is not answered shows nothing either."""
    seen = watch(event("connected"))
    seen.ask(BOOTED)
    seen.refuse(Refused("ALONE", ALONE), BOOTED + 1)
    seen.doubt(BOOTED + 2)
    assert seen.ask(BOOTED + 3).age == 0.0
    seen.refuse(Refused("WAIT", 7.0), BOOTED + 3)
    seen.refuse(Refused("ALONE", ALONE), BOOTED + 4)
    assert seen.due == BOOTED + 4 + ALONE
    assert seen.ask(BOOTED + 5).age == 2.0


def test_an_answer_of_another_server_is_none() -> None:
    """A late answer of the predecessor does not count for the server that is listened to by then."""
    seen = watch(event("connected"))
    seen.ask(BOOTED + 1)
    seen.hear(event("connected", identity="y@1"), BOOTED + 2)
    seen.refuse(Refused("HELD", 5.0), BOOTED + 2)
    assert seen.ask(BOOTED + 4).age == 0.0


def test_the_floor_is_the_highest_epoch_heard_or_held() -> None:
    """An epoch this node knows of is never taken again."""
    seen = watch(
        event("acquired", token=Token(0, 7, "a", "a1")),
        event("acquired", 2, token=Token(0, 5, "c", "c1")),
    )
    assert seen.floor == 7
    seen.hold(Token(0, 9, "b", "b1"))
    assert seen.floor == 9


def test_a_refusal_says_when_to_ask_again() -> None:
    """The wait is Redis's to tell, but never so short that asking becomes a loop."""
    seen = watch(event("connected"))
    seen.refuse(Refused("WAIT", 4.0), BOOTED)
    assert seen.due == BOOTED + 4
    seen.refuse(Refused("HELD", 0.0), BOOTED)
    assert seen.due == BOOTED + RETRY


def test_a_change_is_taken_note_of_and_asked_about_at_once() -> None:
    """Who missed an event asks again with what is there now, and its silence begins now."""
    seen = watch(event("renewed"))
    seen.ask(BOOTED)
    seen.refuse(Refused("HELD", 5.0), BOOTED)
    seen.refuse(Changed(Sight("9-0", "x@0")), BOOTED + 5)
    assert seen.due == BOOTED + 5
    asked = seen.ask(BOOTED + 6)
    assert (asked.sight.event, asked.silence, asked.age) == ("9-0", 1.0, 6.0)


def test_doubts_grow_longer_than_a_ttl() -> None:
    """A node that never hears its answers in time leaves the lease to the others; one answer ends that."""
    seen = watch(event("connected"))
    waits = []
    for _ in range(9):
        seen.doubt(BOOTED)
        waits.append(seen.due - BOOTED)
    assert waits[:3] == [0.5, 1.0, 2.0]
    assert waits[-1] == 4 * TIMING.ttl
    seen.refuse(Refused("WAIT", 4.0), BOOTED)
    seen.doubt(BOOTED)
    assert seen.due == BOOTED + 0.5
