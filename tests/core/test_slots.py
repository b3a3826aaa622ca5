"""Slots: which moments a schedule has, by tables and by dice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hachat.core.errors import HandlerError
from hachat.core.slots import (
    LATE,
    LONGEST,
    MOST_MISSED,
    Missed,
    Schedule,
    parse_duration,
    parse_schedule,
)

BERLIN = ZoneInfo("Europe/Berlin")
YEAR = (datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC))
"""A year of Berlin."""

SCHEDULES = [
    (1, "UTC"),
    ("90s", "UTC"),
    ("* * * * *", "UTC"),
    ("*/7 * * * *", "Europe/Berlin"),
    ("hourly", "Europe/Berlin"),
    ("30 */2 * * *", "Europe/Berlin"),
    ("0,30 2 * * *", "Europe/Berlin"),
    ("daily 02:30", "Europe/Berlin"),
    ("weekdays 09:00", "America/New_York"),
    ("0 0 1 * *", "Australia/Lord_Howe"),
    ("15 0 * * *", "America/Havana"),
    ("0 0 29 2 *", "UTC"),
]


def ms(moment: datetime) -> int:
    """Return Unix milliseconds."""
    return int(moment.timestamp()) * 1000


def at(text: str) -> int:
    """Return the Unix milliseconds of an ISO date with an offset."""
    return ms(datetime.fromisoformat(text))


def wall(slot: int, zone: ZoneInfo = BERLIN) -> str:
    """Return a slot as a wall clock shows it, with its offset."""
    return datetime.fromtimestamp(slot / 1000, zone).isoformat(timespec="minutes")


def walk(schedule: Schedule, start: int, end: int) -> list[int]:
    """Return every slot after `start` and until `end`, one after the other."""
    slots = []
    while (slot := schedule.next(start)) is not None and slot <= end:
        slots.append(slot)
        start = slot
    return slots


# What may be written


@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        (30, 30),
        (0.5, 0.5),
        (0, 0),
        ("30", 30),
        ("1.5", 1.5),
        ("30s", 30),
        ("5m", 300),
        ("2h", 7200),
        ("1h 30m", 5400),
        ("1h30m", 5400),
        ("1d", 86_400),
        (" 2 w ", 1_209_600),
        (LONGEST, LONGEST),
    ],
)
def test_durations(when: str | float, seconds: float) -> None:
    """Plain seconds and the usual units are understood."""
    assert parse_duration(when) == seconds


@pytest.mark.parametrize(
    "when", ["", "m5", "5 years", "-5s", -1, float("nan"), float("inf"), LONGEST + 1, True]
)
def test_what_is_no_duration(when: str | float) -> None:
    """Anything else is refused with a hint."""
    with pytest.raises(ValueError, match="is no duration; write seconds"):
        parse_duration(when)


@pytest.mark.parametrize(
    ("when", "tz", "after", "slot"),
    [
        (30, "UTC", "2026-03-02T08:00:00+00:00", "2026-03-02T08:00:30+00:00"),
        ("5m", "UTC", "2026-03-02T08:00:00+00:00", "2026-03-02T08:05:00+00:00"),
        ("90s", "UTC", "2026-03-02T08:00:10+00:00", "2026-03-02T08:01:30+00:00"),
        ("hourly", "UTC", "2026-03-02T08:00:00+00:00", "2026-03-02T09:00:00+00:00"),
        ("hourly", "Asia/Kolkata", "2026-03-02T08:00:00+00:00", "2026-03-02T08:30:00+00:00"),
        ("daily 09:00", "UTC", "2026-03-02T09:00:00+00:00", "2026-03-03T09:00:00+00:00"),
        ("daily 9:05", "Europe/Berlin", "2026-03-02T08:00:00+01:00", "2026-03-02T09:05:00+01:00"),
        ("weekdays 09:00", "UTC", "2026-03-06T10:00:00+00:00", "2026-03-09T09:00:00+00:00"),
        ("weekends 09:00", "UTC", "2026-03-06T10:00:00+00:00", "2026-03-07T09:00:00+00:00"),
        ("Monday 10:30", "UTC", "2026-03-03T00:00:00+00:00", "2026-03-09T10:30:00+00:00"),
        ("fridays 23:59", "UTC", "2026-03-03T00:00:00+00:00", "2026-03-06T23:59:00+00:00"),
        ("mon,thu 10:30", "UTC", "2026-03-03T00:00:00+00:00", "2026-03-05T10:30:00+00:00"),
        ("sunday 00:00", "UTC", "2026-03-03T00:00:00+00:00", "2026-03-08T00:00:00+00:00"),
        ("*/15 8-18 * * mon-fri", "UTC", "2026-03-06T18:45:00+00:00", "2026-03-09T08:00:00+00:00"),
        ("0 12 13 * *", "UTC", "2026-03-13T12:00:00+00:00", "2026-04-13T12:00:00+00:00"),
    ],
)
def test_forms(when: str | float, tz: str, after: str, slot: str) -> None:
    """Each form has the next slot that its words say."""
    assert parse_schedule(when, tz).next(at(after)) == at(slot)


@pytest.mark.parametrize(
    "when",
    [
        "",
        "often",
        "daily",
        "daily 25:00",
        "daily 9",
        "moonday 09:00",
        "mon, tue 09:00",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "0 0 31 2 *",
        "0 0 * * 9",
        "-5m",
        "1.2.3",
        float("nan"),
        float("inf"),
        0,
        0.5,
        "0s",
        None,
        True,
    ],
)
def test_what_is_no_schedule(when: str) -> None:
    """What cannot be meant is refused in a sentence that says what to write, or how often is often enough."""
    with pytest.raises(HandlerError, match=r"write|shortest period"):
        parse_schedule(when)


@pytest.mark.parametrize("tz", ["", "Berlin", "Europe/Nowhere", "../etc", "CEST", None])
def test_what_is_no_time_zone(tz: str) -> None:
    """A zone is one of the IANA's names."""
    with pytest.raises(HandlerError, match="is no time zone known here; write one like"):
        parse_schedule("daily 09:00", tz)


def test_a_period_has_no_time_zone() -> None:
    """A zone beside a period is a misunderstanding, and told."""
    with pytest.raises(HandlerError, match="has no time zone"):
        parse_schedule("1d", "Europe/Berlin")


def test_what_is_no_policy() -> None:
    """A misspelt policy is told with those there are."""
    with pytest.raises(HandlerError, match="'skip', 'latest' or 'all'"):
        parse_schedule("5m", missed="lates")  # type: ignore[arg-type]


@given(st.text("0123456789*/,-#Lw@ montue:h", max_size=20))
@example("0 0 5L/2 * *")
@example("* * L/2 * 5L")
@example("* * L,5/2 * 1#1,2/3")
def test_any_text_is_a_schedule_or_refused(when: str) -> None:
    """No text makes another error than the one that tells the author, and what is taken has slots in order."""
    try:
        schedule = parse_schedule(when)
    except HandlerError:
        return
    first = schedule.next(0)
    assert first is not None
    assert first > 0


# When clocks change


def test_a_left_out_time_is_due_after_the_change() -> None:
    """In Berlin's spring 02:30 does not exist, and is due once, at 03:00."""
    schedule = parse_schedule("daily 02:30", "Europe/Berlin")
    slots = walk(schedule, at("2026-03-28T00:00:00+01:00"), at("2026-03-31T00:00:00+02:00"))
    assert list(map(wall, slots)) == [
        "2026-03-28T02:30+01:00",
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
    ]


def test_a_time_that_comes_twice_is_due_the_first_time() -> None:
    """In Berlin's autumn 02:30 comes twice, and is due once, wherever one begins to look."""
    schedule = parse_schedule("daily 02:30", "Europe/Berlin")
    first, after = at("2026-10-25T02:30:00+02:00"), at("2026-10-26T02:30:00+01:00")
    assert schedule.next(first - 1) == first
    for minute in range(120):
        assert schedule.next(first + minute * 60_000) == after
        assert schedule.due(first, first + minute * 60_000) == []


def test_hours_go_by_the_time_that_passes() -> None:
    """Hourly is every hour, across both changes: 23 slots in the short day, 25 in the long one."""
    schedule = parse_schedule("hourly", "Europe/Berlin")
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        start = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
        slots = walk(schedule, ms(start), ms(start + timedelta(days=1)))
        assert len(slots) == hours
        assert {later - slot for slot, later in pairwise(slots)} == {3_600_000}


@pytest.mark.parametrize("clock", ["00:00", "01:59", "02:00", "02:30", "02:59", "03:00", "23:59"])
def test_daily_is_once_a_day_all_year(clock: str) -> None:
    """Whatever the clocks do, each day of the year has one slot."""
    schedule = parse_schedule(f"daily {clock}", "Europe/Berlin")
    slots = walk(schedule, ms(YEAR[0]) - 1, ms(YEAR[1]) - 1)
    days = [datetime.fromtimestamp(slot / 1000, BERLIN).date() for slot in slots]
    assert len(days) == 365
    assert len(set(days)) == 365


# What is due


def test_slots_of_a_period_are_the_same_for_all() -> None:
    """Multiples of the period since the epoch: nobody's beginning shifts them."""
    schedule = parse_schedule("7s", missed="all")
    assert schedule.due(0, 21_000) == [7_000, 14_000, 21_000]
    assert schedule.due(6_999, 7_000) == [7_000]
    assert schedule.due(7_000, 13_999) == []


@pytest.mark.parametrize(
    ("missed", "hours"), [("skip", [12]), ("latest", [12]), ("all", [10, 11, 12])]
)
def test_missed_slots(missed: Missed, hours: list[int]) -> None:
    """Each policy says which of three slots are run right after the third."""
    schedule = parse_schedule("hourly", missed=missed)
    due = schedule.due(at("2026-03-02T09:00:00+00:00"), at("2026-03-02T12:00:02+00:00"))
    assert due == [at(f"2026-03-02T{hour}:00:00+00:00") for hour in hours]


def test_skip_lets_go_what_is_late() -> None:
    """A slot is run within a minute or, with `skip`, not at all."""
    schedule = parse_schedule("hourly", missed="skip")
    last, slot = at("2026-03-02T09:00:00+00:00"), at("2026-03-02T10:00:00+00:00")
    assert schedule.due(last, slot + int(LATE * 1000)) == [slot]
    assert schedule.due(last, slot + int(LATE * 1000) + 1) == []


@pytest.mark.parametrize("when", ["1s", "* * * * *", "daily 02:30"])
def test_many_missed_slots_are_bounded(when: str) -> None:
    """After years of silence `all` makes up for the latest hundred, and finding them takes no years."""
    start, end = at("2016-01-01T00:00:00+00:00"), at("2026-01-01T00:00:00+00:00")
    due = parse_schedule(when, missed="all").due(start, end)
    assert len(due) == MOST_MISSED
    assert due == walk(parse_schedule(when), due[0] - 1, end)
    assert parse_schedule(when).due(start, end) == due[-1:]


def test_a_clock_that_went_back_makes_nothing_due() -> None:
    """What was run is not run again because Redis's clock is another."""
    assert parse_schedule("1s", missed="all").due(10_000, 5_000) == []


@given(
    st.sampled_from(SCHEDULES),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - hypothesis asks for it
    st.lists(st.integers(0, 40_000_000), min_size=1, max_size=8),
    st.sampled_from(["skip", "latest", "all"]),
)
@example(("daily 02:30", "Europe/Berlin"), datetime(2026, 10, 24, 23), [4_000_000] * 3, "all")  # noqa: DTZ001
@example(("0,30 2 * * *", "Europe/Berlin"), datetime(2026, 3, 29), [2_000_000] * 4, "all")  # noqa: DTZ001
def test_each_slot_is_due_at_most_once(
    written: tuple[str | float, str], start: datetime, steps: list[int], missed: Missed
) -> None:
    """However often one looks, what is due is in order, never twice, and always one of the schedule's slots."""
    schedule = parse_schedule(written[0], written[1], missed)
    begin = now = ms(start.replace(tzinfo=UTC))
    seen: list[int] = []
    for step in steps:
        due = schedule.due(now, now + step)
        now += step
        assert all(now - step < slot <= now for slot in due)
        seen += due
    assert seen == sorted(set(seen))
    for slot in seen:
        assert schedule.next(slot - 1) == slot
    if missed == "all" and len(seen) < MOST_MISSED:
        assert seen == walk(schedule, begin, now)
