"""The lines of a backup: whole or refused, by a sentence that says where."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.backup import (
    MAX_LINE,
    End,
    Header,
    Member,
    Met,
    Place,
    Record,
    Timer,
    Value,
    name_kind,
    read_lines,
    write_line,
)
from hachat.core.errors import UsageError
from hachat.core.known import Known
from hachat.core.memory import MAX_KEY, MAX_VALUE
from hachat.core.messages import Job

HEADER = Header("bot", 1000.0, "0.1.0")
RECORDS: list[Record] = [
    Value("karma", "ada", msgspec.Raw(b"12"), 2000.0),
    Met("users", Known("irc", "ada", "Ada", first=1.0, last=2.0)),
    Member("ops", "irc/ada", 1000.0, "irc/bob"),
    Place("irc", "#ops", None),
    Timer("tea", 3000.0, Job("J1", "reminders.ring", 3000.0)),
]
LINES = [write_line(entry) for entry in (HEADER, *RECORDS, End(len(RECORDS)))]


def test_what_was_written_is_read() -> None:
    """All of it, in order."""
    assert list(read_lines(LINES)) == [HEADER, *RECORDS]
    assert [name_kind(record) for record in RECORDS] == [
        *("memory", "met", "member", "room", "timer")
    ]


def test_an_entry_is_one_line() -> None:
    """Also where somebody wrote its JSON in several."""
    line = write_line(Value("h", "k", msgspec.Raw(b'[1,\n"a\\nb"]')))
    assert line.count(b"\n") == 1
    *_, record = read_lines([LINES[0], line, write_line(End(1))])
    assert isinstance(record, Value)
    assert msgspec.json.decode(record.value) == [1, "a\nb"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "the end is missing"),
        (LINES[:-1], "the end is missing"),
        (LINES[1:], "line 1: a backup begins with one header"),
        ([LINES[0], *LINES], "line 2: a backup begins with one header"),
        ([*LINES[:2], *LINES[3:]], "line 6: 5 records were written, 4 are here"),
        ([*LINES, LINES[1]], "line 8: the backup has ended before"),
        ([LINES[0], LINES[1][:-5]], "line 2 cannot be read"),
        ([LINES[0], b'{"kind":"no such"}'], "line 2 cannot be read"),
        ([b"x" * (MAX_LINE + 1)], "line 1 is longer"),
        ([write_line(Header("bot", 1.0, "9.9", schema=2))], "made by hachat 9.9"),
        (
            [b'{"kind":"hachat backup","schema":3,"version":"10","was":"otherwise"}'],
            "made by hachat 10",
        ),
    ],
)
def test_what_is_no_whole_backup_is_refused(lines: list[bytes], reason: str) -> None:
    """With where, and why."""
    with pytest.raises(UsageError, match=reason):
        list(read_lines(lines))


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"memory","handler":"a:ends","key":"k","value":1}',
        b'{"kind":"memory","handler":"a","key":"","value":1}',
        b'{"kind":"memory","handler":"a","key":"%s","value":1}' % (b"k" * (MAX_KEY + 1)),
        b'{"kind":"memory","handler":"a","key":"k\\n","value":1}',
        b'{"kind":"memory","handler":"a","key":"k","value":"%s"}' % (b"v" * MAX_VALUE),
        b'{"kind":"memory","handler":"a","key":"k","value":"\xff"}',
        b'{"kind":"memory","handler":"a","key":"k","value":{1}}',
        b'{"kind":"memory","handler":"a","key":"k","value":1,"until":-1}',
        b'{"kind":"memory","handler":"a","key":"k","value":1,"until":1e300}',
        b'{"kind":"met","which":"cats","known":{"adapter":"irc","id":"a"}}',
        b'{"kind":"met","which":"users","known":{"adapter":"i/c","id":"a"}}',
        b'{"kind":"met","which":"users","known":{"adapter":"irc","id":""}}',
        b'{"kind":"met","which":"users","known":{"adapter":"irc","id":"a","last":-1}}',
        b'{"kind":"member","group":"a|b","user":"irc/a","at":1,"by":"b"}',
        b'{"kind":"member","group":"ops","user":"a","at":1,"by":"b"}',
        b'{"kind":"room","adapter":"irc","room":"","key":""}',
        b'{"kind":"room","adapter":"a b","room":"#c","key":""}',
        b'{"kind":"timer","id":"a","at":1,"job":{"kind":"message"}}',
        b'{"kind":"timer","id":"a","at":1,"job":{"kind":"job","id":"a|b","route":"a.b","at":1,"v":2}}',
        b'{"kind":"timer","id":"a","at":1,"job":{"kind":"job","id":"a","route":"a.b","at":1,"v":99}}',
        b'{"kind":"timer","id":"a","at":1,"job":{"kind":"job","id":"a","route":"a.b","at":1,"attempt":1}}',
    ],
)
def test_what_nobody_can_have_written_is_refused(line: bytes) -> None:
    """A name that would reach another key, and what is larger than it may be."""
    with pytest.raises(UsageError, match=r"line 2 cannot be read: .*; take another backup"):
        list(read_lines([LINES[0], line, write_line(End(1))]))


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_rubbish_is_refused(lines: list[bytes]) -> None:
    """Whatever it is, by the same error."""
    with pytest.raises(UsageError):
        list(read_lines([LINES[0], *lines]))


@given(st.integers(0, len(b"".join(LINES)) - 2))
def test_a_backup_that_was_cut_off_is_refused(length: int) -> None:
    """Wherever that was, but for the very end of the last line."""
    with pytest.raises(UsageError):
        list(read_lines(b"".join(LINES)[:length].splitlines(keepends=True)))
