"""The lines of a backup: whole or refused, by a sentence that says where."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.backup import (
    MAX_LINE,
    Header,
    Member,
    Place,
    Record,
    Value,
    read_lines,
    write_lines,
)
from hachat.core.errors import UsageError

HEADER = Header("bot", 1000.0, "0.1.0")
RECORDS: list[Record] = [
    Value("karma", "ada", msgspec.Raw(b"12"), 2000.0),
    Member("ops", "irc/ada", "irc/bob"),
    Place("irc", "#ops", None),
]
LINES = list(write_lines(HEADER, RECORDS))


def test_what_was_written_is_read() -> None:
    """All of it, in order."""
    assert list(read_lines(LINES)) == [HEADER, *RECORDS]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "the end is missing"),
        (LINES[:-1], "the end is missing"),
        (LINES[1:], "line 1: a backup begins with one header"),
        ([LINES[0], *LINES], "line 2: a backup begins with one header"),
        ([*LINES[:2], *LINES[3:]], "line 4: 3 records were written, 2 are here"),
        ([LINES[0], LINES[1][:-5]], "line 2 cannot be read"),
        ([LINES[0], b'{"kind":"no such"}'], "line 2 cannot be read"),
        ([b"x" * (MAX_LINE + 1)], "line 1 is longer"),
        ([msgspec.json.encode(Header("bot", 1.0, "9.9", schema=2))], "made by hachat 9.9"),
    ],
)
def test_what_is_no_whole_backup_is_refused(lines: list[bytes], reason: str) -> None:
    """With where, and why."""
    with pytest.raises(UsageError, match=reason):
        list(read_lines(lines))


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_rubbish_is_refused(lines: list[bytes]) -> None:
    """Whatever it is, by the same error."""
    with pytest.raises(UsageError):
        list(read_lines([LINES[0], *lines]))
