"""What admins are told of: what was given up, what is full, chat services that are away, and failovers of the master."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import trio

from hachat.bot.texts import ENGLISH, Texts
from hachat.chat.adapter import Connection
from hachat.core.plain import show
from hachat.daemon.notices import Look
from hachat.store.dead import PAGE, SCAN, DeadLetters
from hachat.store.history import Returned, Term, read_history
from hachat.store.keys import Keys
from hachat.store.letter import Letter, Query
from hachat.store.limits import name_full
from hachat.store.link import Link
from hachat.store.notices import is_notice
from hachat.store.status import read_status

AWAY = 60.0
"""Seconds for which a chat service is away before it is told."""

_ENTRY = re.compile("[0-9]{1,18}-[0-9]{1,18}")

_PLANNED = ("step-down", "shutdown", "stopped", "")
_TERMS = 20
_MOST = 20
"""Names that are remembered as told, and terms that are looked at."""

_SHOWN = 3
_LONGEST = 300
"""Characters of a part of a line that was not written here."""


def make_subjects(
    link: Link,
    keys: Keys,
    letters: DeadLetters,
    connections: Sequence[Connection],
    texts: Texts = ENGLISH,
) -> dict[str, Look]:
    """Return the subjects by the names under which it is kept how far they have been told, in the language of `texts`."""
    return {
        "masters": partial(look_for_failovers, link, keys, texts=texts),
        "chat": ChatWatch(connections, texts).look,
        "full": partial(look_for_full, link, keys, letters, texts=texts),
        "dead": partial(look_for_dead, letters, texts=texts),
    }


async def look_for_dead(letters: DeadLetters, told: str, texts: Texts = ENGLISH) -> tuple[str, str]:
    """Tell what was given up behind the entry `told`; what was before the first look is none of it."""
    if not _ENTRY.fullmatch(told):
        newest = (await letters.find(Query(), 1)).letters
        return (newest[0].entry if newest else "0-0"), ""
    count, last, origins = 0, None, set[str]()
    for _ in range(SCAN // PAGE):
        page = await letters.find(Query(oldest_first=True), PAGE, told)
        for letter in page.letters:
            told = letter.entry
            if not is_notice(letter):
                count, last = count + 1, letter
                origins.add(letter.origin)
        if not page.next:
            break
    return told, describe_dead(count, len(origins), last, texts) if last else ""


def describe_dead(count: int, places: int, last: Letter, texts: Texts = ENGLISH) -> str:
    """Return a line about so many dead letters of so many conversations or rooms, and the last of them."""
    where, why = _shorten(last.origin), _shorten(last.reason)
    look = f"`hachat dead show {last.entry}`"
    if count == 1:
        return texts.say(
            "Given up in {place}: {reason}. See {command}", place=where, reason=why, command=look
        )
    about = (
        texts.say("in {place}", place=where)
        if places == 1
        else texts.say("in {count:,} places", count=places)
    )
    return texts.say(
        "Given up {places}: {count:,} dead letters, the last one in {place}: {reason}."
        " See {command} and `hachat dead list`",
        places=about,
        count=count,
        place=where,
        reason=why,
        command=look,
    )


async def look_for_full(
    link: Link, keys: Keys, letters: DeadLetters, told: str, texts: Texts = ENGLISH
) -> tuple[str, str]:
    """Tell what has become full since those were told."""
    status = await read_status(link, keys, letters.limits)
    full = {name_full(sentence): sentence for sentence in status.full}
    known = told.split("\n")
    new = [sentence for name, sentence in full.items() if name not in known]
    kept = [name for name in known if name in full]
    now = "\n".join([*(name for name in full if name not in known), *kept][:_MOST])
    lines = [_shorten(texts.tell(sentence)) for sentence in new[:_SHOWN]]
    if len(new) > _SHOWN:
        lines += [texts.say("and {count} more, see `hachat queue`", count=len(new) - _SHOWN)]
    return now, "; ".join(lines)


class ChatWatch:
    """Watches the connections of a master to its chat services."""

    def __init__(self, connections: Sequence[Connection], texts: Texts = ENGLISH) -> None:
        self._connections = connections
        self._texts = texts
        self._away: dict[str, float] = {}

    async def look(self, told: str) -> tuple[str, str]:
        """Tell which services are away for long, and which of those `told` are back."""
        await trio.lowlevel.checkpoint()
        now = trio.current_time()
        known = {name for name in told.split("\n") if name}
        lines, away = [], set[str]()
        for connection in self._connections:
            name = connection.adapter.name
            if connection.state == "connected":
                self._away.pop(name, None)
                if name in known:
                    lines.append(self._texts.say("{service} is connected again.", service=name))
            elif name in known:
                away.add(name)
            elif (seconds := now - self._away.setdefault(name, now)) >= AWAY:
                away.add(name)
                lines.append(self._describe(name, seconds, connection.fault))
        return "\n".join(sorted(away)), " ".join(lines)

    def _describe(self, name: str, seconds: float, fault: str) -> str:
        return self._texts.say(
            "{service} has not been connected for {seconds:.0f} s{reason}. See `hachat status`",
            service=name,
            seconds=seconds,
            reason=f": {_shorten(fault)}" if fault else "",
        )


async def look_for_failovers(
    link: Link, keys: Keys, told: str, texts: Texts = ENGLISH
) -> tuple[str, str]:
    """Tell of terms behind the epoch `told` whose predecessors ended otherwise than by order."""
    terms = (await read_history(link, keys, _TERMS)).terms
    if not terms or not told.isdecimal():
        return (str(terms[0].epoch) if terms else told), ""
    new = [term for term in terms if term.epoch > int(told)]
    lost = [term for term in new if _is_failover(term)]
    now = str(max(int(told), terms[0].epoch))
    return now, describe_failovers(len(lost), lost[0], texts) if lost else ""


def describe_failovers(count: int, last: Term, texts: Texts = ENGLISH) -> str:
    """Return a line about so many failovers of the master, and the last of them."""
    since = datetime.fromtimestamp(last.began, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    why = (last.previous.cause if last.previous else "") or texts.say("unknown")
    gap = last.gap if last.gap is not None else last.gap_at_most
    if gap is not None:
        silence = texts.say(", after at most {seconds:.1f} s without a master", seconds=gap)
        since = f"{since}{silence}"
    told = {"node": _shorten(last.node), "time": since, "reason": _shorten(why)}
    if count == 1:
        return texts.say(
            "The master failed over to {node}, {time} ({reason}). See `hachat history`", **told
        )
    return texts.say(
        "The master failed over {count} times, the last time to {node}, {time} ({reason})."
        " See `hachat history`",
        count=count,
        **told,
    )


def _is_failover(term: Term) -> bool:
    match term.previous:
        case None:
            return False
        case Returned(cause=cause):
            return cause not in _PLANNED
        case _:
            return True


def _shorten(text: str) -> str:
    shown = show(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
