"""Identifiers: what they promise about time, order and form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.ids import LENGTH, make_id, read_time

times = st.floats(min_value=0, max_value=200_000_000_000)
entropy = st.integers(min_value=0, max_value=(1 << 90) - 1)


@given(times, entropy, times, entropy)
def test_ids_sort_by_the_time_they_were_made(
    one: float, salt: int, other: float, pepper: int
) -> None:
    """The order of the texts is the order of the milliseconds."""
    first, second = make_id(one, salt), make_id(other, pepper)

    if int(one * 1000) < int(other * 1000):
        assert first < second


@given(times, entropy)
def test_the_time_can_be_read_back(wall: float, salt: int) -> None:
    """An id tells when it was made, to the millisecond, whatever its random part."""
    ulid = make_id(wall, salt)

    assert len(ulid) == LENGTH
    assert read_time(ulid) == int(wall * 1000) / 1000


def test_ids_of_one_moment_differ_by_their_entropy() -> None:
    """All 80 random bits are kept, and no more."""
    assert len({make_id(1.0, 1 << bit) for bit in range(80)}) == 80
    assert make_id(1.0, 1 << 80) == make_id(1.0, 0)


def test_an_id_is_written_as_others_write_it() -> None:
    """The form is that of the ULID specification's own example."""
    assert make_id(1469918176.385, 0).startswith("01ARYZ6S41")


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        "01ARYZ6S41",
        "01ARYZ6S41TSV4RRFFQ69G5FAV0",
        "01ARYZ6S4ITSV4RRFFQ69G5FAV",
        "01ARYZ6S41TSV4RRFFQ69G5FA!",
        "01aryz6s41tsv4rrffq69g5fav",
        "80000000000000000000000000",
    ],
)
def test_rubbish_has_no_time(rubbish: str) -> None:
    """What is too short, too long, beyond the last time or of other letters is refused by name."""
    with pytest.raises(ValueError, match="is not a ULID"):
        read_time(rubbish)
