"""How often is arithmetic: never more runs in a span than are allowed, and no fewer for whoever keeps to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.messages import Message, Room, User
from hachat.core.rates import Count, Rate, format_wait, read_rate

MESSAGE = Message("M1", Room("irc", "#ops"), User("ada"), "ping", 1.0)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5/1m", Rate(5, 60.0)),
        ("1 / 2h", Rate(1, 7200.0)),
        ("3/m", Rate(3, 60.0)),
        ("10/30", Rate(10, 30.0)),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    """So many in so long."""
    assert read_rate(text) == rate


@pytest.mark.parametrize("text", ["", "5", "0/1m", "5/", "/1m", "x/1m", "5/0", "5/never", 5, None])
def test_what_is_none_is_refused(text: object) -> None:
    """The author learns what to write."""
    with pytest.raises(ValueError, match="5/1m"):
        read_rate(text)


def test_what_is_counted_together() -> None:
    """Users, rooms, or the route."""
    names = [Rate(1, 1.0, by).name("a.b", MESSAGE) for by in ("user", "room", "route")]

    assert names == ["a.b@irc/ada", "a.b@irc/#ops", "a.b"]


def test_runs_are_let_in_until_there_were_enough() -> None:
    """Whoever is refused is told once in that time, and let in when it is over."""
    rate, count, turns = Rate(2, 60.0), Count(), []
    for now in (0.0, 1.0, 2.0, 3.0, 30.0, 31.0):
        count, turn = count.take(rate, now)
        turns.append((round(turn.wait), turn.first))

    assert turns == [(0, False), (0, False), (28, True), (27, False), (0, False), (29, True)]


@given(
    st.lists(st.floats(0.0, 20.0), max_size=60),
    st.integers(1, 5),
)
def test_never_more_than_twice_the_runs_in_a_span(gaps: list[float], runs: int) -> None:
    """A burst, and what is let in while its span passes: no span sees more."""
    rate, count, now, let_in = Rate(runs, 60.0), Count(), 0.0, []
    for gap in gaps:
        now += gap
        count, turn = count.take(rate, now)
        if not turn.wait:
            let_in.append(now)

    for start in let_in:
        assert len([at for at in let_in if start <= at < start + 60.0]) < 2 * runs + 1


@given(st.integers(1, 20), st.integers(1, 50))
def test_whoever_waits_as_told_is_let_in(runs: int, tries: int) -> None:
    """The time that is told is enough."""
    rate, count, now = Rate(runs, 60.0), Count(), 1e9
    for _ in range(tries):
        count, turn = count.take(rate, now)
        if turn.wait:
            now += turn.wait
            count, turn = count.take(rate, now)
            assert not turn.wait


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (60.0, "60 s"),
        (90.0, "90 s"),
        (91.0, "2 min"),
        (5400.0, "90 min"),
        (5401.0, "2 h"),
    ],
)
def test_a_wait_in_words(seconds: float, words: str) -> None:
    """Rounded up, so that nobody comes too early."""
    assert format_wait(seconds) == words
