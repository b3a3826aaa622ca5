"""The terms of the masters so far: who held the lease, from when until when, and why no longer.

They are read from the stream `history`, to which the scripts that take and return the lease add an entry each.  Nobody
writes down the end of a term that is never given back; all that is known of it stands in the entry of its successor.
All times are Unix seconds by Redis's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import msgspec

from hachat.core.lease import Token
from hachat.store.keys import Keys
from hachat.store.letter import read_fields, read_time
from hachat.store.link import Link

SHOWN = 100
"""Terms that are told unless somebody asks for more or fewer."""

MOST = 1000
"""Terms that are told at most; the stream holds fewer."""

_PAGE = 200
_PAGES = 10
"""Entries that are read at a time, and how often; the stream is kept shorter than that."""

_LARGEST = 2**63


class Returned(msgspec.Struct, frozen=True, tag_field="how", tag="returned"):
    """A term that ended at `at`, when its node gave the lease back, in favour of `to` unless that is empty.

    `cause` is one of `hachat.core.lease.Cause`, empty where an older release did not say; `reason` is in words, for a
    step-down those of `by`, who asked for it.
    """

    at: float
    cause: str
    reason: str
    to: str = ""
    by: str = ""


class Unseen(msgspec.Struct, frozen=True, tag_field="how", tag="unseen"):
    """A term of which nobody saw the end: it lies between `after` and `before`, if `after` is known at all.

    `before` is when the next term began, `after` when the master was heard last.  `cause` is `silent`: it renewed no
    more (it died, stood still or was cut off); `left over`: the same process took the lease anew, after it could
    not give it back or did not get the answer; `forgotten`: what Redis has kept does not tell.
    """

    after: float | None
    before: float
    cause: str


Ending: TypeAlias = Returned | Unseen


class Term(msgspec.Struct, frozen=True):
    """One term: the lease was held under `token` from `began` on; `end` is None as long as no end is known.

    `previous` is how the term before it ended.  `gap` is for how long nobody held the lease in between, None where that
    was not seen; it is then `gap_at_most`, if that is known.  `redis` is what has happened to Redis since the term before
    began: `failover`, `restarted`, `forgot` (there was a term of which it knows nothing), or nothing.
    """

    epoch: int
    node: str
    token: str
    began: float
    end: Ending | None
    previous: Ending | None
    gap: float | None
    gap_at_most: float | None
    redis: str = ""


class History(msgspec.Struct, frozen=True):
    """Terms, the newest first, and what was skipped: entries that cannot be read.

    `master` is the token of the lease at this moment, empty if nobody has it: the newest term may have no end and be
    over nevertheless.
    """

    master: str
    terms: Sequence[Term]
    unreadable: int


class _Begin(msgspec.Struct, frozen=True):
    at: float
    token: Token
    previous: str
    reason: str
    heard: float | None
    redis: str


async def read_history(link: Link, keys: Keys, most: int = SHOWN) -> History:
    """Return the terms that began last, at most `most`.

    Raises:
        StoreError: Redis cannot be asked.
    """
    begins: list[_Begin] = []
    ends: dict[str, Returned] = {}
    unreadable, before = 0, "+"
    for _ in range(_PAGES):
        page = await link.command("XREVRANGE", keys.of("history"), before, "-", "COUNT", _PAGE)
        for entry, fields in page:
            match _read_entry(read_time(entry), read_fields(fields)):
                case None:
                    unreadable += 1
                case _Begin() as begin:
                    begins.append(begin)
                case token, end:
                    ends[token] = end
        # One more than is shown: it tells how the term before the first one ended.
        if len(page) < _PAGE or len(begins) > most:
            break
        before = f"({page[-1][0].decode()}"
    lease = await link.command("GET", keys.of("lease"))
    terms = list(_tell(begins[::-1], ends))[::-1]
    return History((lease or b"").decode("utf-8", "replace"), terms[:most], unreadable)


def _read_entry(at: float, fields: Mapping[str, str]) -> _Begin | tuple[str, Returned] | None:
    try:
        token = Token.parse(fields["token"])
    except (KeyError, ValueError):
        return None
    if not 0 <= token.epoch < _LARGEST:
        return None
    to, cause, reason, by = (fields.get(name, "") for name in ("to", "cause", "reason", "by"))
    match fields.get("event"):
        case "acquired":
            heard = _read_moment(fields.get("heard", ""))
            redis = fields.get("redis", "")
            return _Begin(at, token, fields.get("previous", ""), reason, heard, redis)
        case "released":
            return str(token), Returned(at, cause, reason, to, by)
        case _:
            return None


def _read_moment(event: str) -> float | None:
    milliseconds = event.partition("-")[0]
    return int(milliseconds) / 1000 if milliseconds.isdecimal() and len(milliseconds) < 20 else None


def _tell(begins: Sequence[_Begin], ends: Mapping[str, Returned]) -> Iterator[Term]:
    """Yield the terms, the oldest first."""
    known = [_end_previous(None, begin, ends) for begin in begins[:1]]
    known += [_end_previous(older, begin, ends) for older, begin in pairwise(begins)]
    for number, (begin, previous) in enumerate(zip(begins, known, strict=True)):
        token = begin.token
        end = ends.get(str(token))
        newer = begins[number + 1] if number + 1 < len(begins) else None
        after = None if newer is None else _find_end(begin, newer, known[number + 1])
        gap, at_most = _measure_gap(begin, previous)
        yield Term(
            *(token.epoch, token.node, str(token), begin.at),
            *(end or after, previous, gap, at_most, begin.redis),
        )


def _end_previous(
    older: _Begin | None, begin: _Begin, ends: Mapping[str, Returned]
) -> Ending | None:
    """Return how the term before `begin` ended; `older` is the beginning that stands before it, if there is one."""
    if begin.previous in ends:
        return ends[begin.previous]
    began = older.at if older is not None else None
    if begin.reason in ("silent", "left over"):
        same = older is not None and str(older.token) == begin.previous
        heard = begin.heard if begin.heard is not None else began if same else None
        return Unseen(heard, begin.at, begin.reason)
    if older is None and begin.reason == "first" and not begin.redis:
        return None
    return Unseen(began, begin.at, "forgotten")


def _find_end(begin: _Begin, newer: _Begin, previous: Ending | None) -> Ending | None:
    """Return how the term `begin` ended, of which `newer` is the next that is known."""
    if newer.previous == str(begin.token) or newer.reason == "first":
        return previous
    return Unseen(begin.at, newer.at, "forgotten")


def _measure_gap(begin: _Begin, previous: Ending | None) -> tuple[float | None, float | None]:
    match previous:
        case Returned(at=at):
            gap = max(0.0, round(begin.at - at, 3))
            return gap, gap
        case Unseen(after=float(after)):
            return None, max(0.0, round(begin.at - after, 3))
        case _:
            return None, None
