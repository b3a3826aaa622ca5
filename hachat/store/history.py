"""The terms of the masters so far: who held the lease, from when until when, and why no longer.

They are read from the stream `history`, to which the scripts that take and return the lease add an entry each.  Nobody
writes down the end of a term that is never given back; all that is known of it stands in the entry of its successor, and
why it ended in one that its holder adds if it comes back.
All times are Unix seconds by Redis's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from hachat.core.lease import Token
from hachat.store.keys import Keys
from hachat.store.letter import read_fields, read_time, split_entry
from hachat.store.link import Link

SHOWN = 100
"""Terms that are told unless somebody asks for more or fewer."""

MOST = 1000
"""Terms that are told at most; the stream holds fewer."""

_PAGE = 200
_PAGES = 10
"""Entries that are read at a time, and how often; the stream is kept shorter than that."""

_LARGEST = 2**63
_UNSEEN = ("silent", "left over")


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
    not give it back or did not get the answer; `forgotten`: what Redis has kept does not tell.  A master that came back
    after its successor has told which of `hachat.core.lease.Cause` it was.
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


class _Lost(msgspec.Struct, frozen=True):
    cause: str


_Ends: TypeAlias = Mapping[str, Returned | _Lost]
"""By token, what was told of the end of a term, and by its own holder."""


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
    ends: dict[str, Returned | _Lost] = {}
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


def _read_entry(
    at: float, fields: Mapping[str, str]
) -> _Begin | tuple[str, Returned | _Lost] | None:
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
        case "lost":
            return str(token), _Lost(cause)
        case _:
            return None


def _read_moment(event: str) -> float | None:
    try:
        return split_entry(event)[0] / 1000
    except (ValueError, OverflowError):
        return None


def _tell(begins: Sequence[_Begin], ends: _Ends) -> Iterator[Term]:
    """Yield the terms, the oldest first."""
    for older, begin, newer in zip([None, *begins], begins, [*begins[1:], None], strict=False):
        token, previous = str(begin.token), _end_previous(older, begin, ends)
        gap, gap_at_most = _measure_gap(begin, previous)
        yield Term(
            epoch=begin.token.epoch,
            node=begin.token.node,
            token=token,
            began=begin.at,
            end=_end(begin, newer, ends),
            previous=previous,
            gap=gap,
            gap_at_most=gap_at_most,
            redis=begin.redis,
        )


def _end_previous(older: _Begin | None, begin: _Begin, ends: _Ends) -> Ending | None:
    """Return how the term before `begin` ended; `older` is the beginning that stands before it, if there is one."""
    told = ends.get(begin.previous)
    if isinstance(told, Returned):
        return told
    if older is not None:
        return _miss_end(older, begin, ends)
    if begin.reason in _UNSEEN:
        return Unseen(begin.heard, begin.at, _name_cause(begin, ends))
    if begin.reason == "first" and not begin.redis:
        return None
    return Unseen(None, begin.at, "forgotten")


def _end(begin: _Begin, newer: _Begin | None, ends: _Ends) -> Ending | None:
    told = ends.get(str(begin.token))
    return told if isinstance(told, Returned) else _miss_end(begin, newer, ends)


def _miss_end(begin: _Begin, newer: _Begin | None, ends: _Ends) -> Unseen | None:
    """Return what is known of the end of `begin`, which nobody saw, from the next beginning that was told."""
    if newer is None:
        return None
    if newer.previous == str(begin.token) and newer.reason in _UNSEEN:
        heard = newer.heard if newer.heard is not None else begin.at
        return Unseen(heard, newer.at, _name_cause(newer, ends))
    return Unseen(begin.at, newer.at, "forgotten")


def _name_cause(newer: _Begin, ends: _Ends) -> str:
    """Return why the term before `newer` ended: its holder knows better than its successor."""
    told = ends.get(newer.previous)
    return (told.cause if told else "") or newer.reason


def _measure_gap(begin: _Begin, previous: Ending | None) -> tuple[float | None, float | None]:
    match previous:
        case Returned(at=at):
            gap = max(0.0, round(begin.at - at, 3))
            return gap, gap
        case Unseen(after=float(after)):
            return None, max(0.0, round(begin.at - after, 3))
        case _:
            return None, None
