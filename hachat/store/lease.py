"""The lease in Redis: the scripts that take, keep and return it, and the stream of events that wakes candidates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import random
from typing import Any, cast, get_args

import structlog
import trio

from hachat.core.backoff import backoff
from hachat.core.errors import StoreError, StoreUnavailable
from hachat.core.lease import (
    ALONE,
    HAND_OVER,
    Answer,
    Ask,
    Cause,
    Changed,
    Event,
    EventKind,
    Granted,
    RefusalKind,
    Refused,
    Sight,
    Token,
)
from hachat.core.timing import Timing
from hachat.store.client import Argument
from hachat.store.connections import Line, Reader
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import load
from hachat.store.stepdown import StepDowns
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

Hear = Callable[[Event], Awaitable[None]]

_ACQUIRE = load("lease_acquire")
_RENEW = load("lease_renew")
_RELEASE = load("lease_release")

_BLOCK = 2.0
"""Seconds a blocked read waits for an event; without one it is how late a dead Redis is noticed."""

_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
"""Seconds between losing the stream of events and asking for it again, the first time and after many."""

_NO_EVENT = "0-0"


class LeaseView(StepDowns):
    """The lease as anybody may see it, and the stream of its events."""

    async def read_master(self) -> Token | None:
        """Return the token of the present master, or None if there is none.

        Raises:
            StoreUnavailable: Redis did not answer.
            StoreRefused: Redis said no.
        """
        lease = await self._link.command("GET", self._lease)
        return None if lease is None else Token.parse(_text(lease))

    async def follow(self, hear: Hear, after: str = "") -> None:
        """Pass every event to `hear`, for ever; those after the id `after`, or from now on.

        After an error it takes up where it left off, and says `connected` each time it listens to a server.
        """
        waits = backoff(_PAUSE, _LONGEST_PAUSE, random)
        while True:
            try:
                async with self._link.reader(_BLOCK) as reader:
                    run_id = await _read_run_id(reader)
                    newest = await _read_newest(reader, self._events)
                    # Ids of another server may be behind ours; to wait for them would miss events.
                    after = min(after or newest, newest, key=_by_age)
                    await hear(Event("connected", self._see(run_id, newest)))
                    waits = backoff(_PAUSE, _LONGEST_PAUSE, random)
                    while True:
                        after = await self._listen(reader, run_id, after, hear)
            except StoreError as error:
                report(log, "cannot hear the lease's events", error)
            await trio.sleep(next(waits))

    async def _listen(self, reader: Reader, run_id: str, after: str, hear: Hear) -> str:
        reply = await reader.read("XREAD", "BLOCK", _ms(_BLOCK), "STREAMS", self._events, after)
        for _, entries in reply or ():
            for raw, fields in entries:
                after = raw.decode()
                event = read_event(self._see(run_id, after), fields)
                if event is not None:
                    await hear(event)
        return after

    def _see(self, run_id: str, event: str) -> Sight:
        return Sight(event, f"{run_id}@{self._link.source.config_epoch}")


class LeaseStore(LeaseView):
    """What an elector says to Redis, on a connection of its own; make one with `open_lease`."""

    def __init__(self, link: Link, keys: Keys, line: Line, timing: Timing, replicas: int) -> None:
        super().__init__(link, keys)
        self._line = line
        self._timing = timing
        self._replicas = replicas
        self._keys = [self._lease, keys.of("meta"), self._events, keys.of("history")]
        self._control = keys.of("control")
        self._vouched = ""

    async def acquire(self, ask: Ask) -> Answer:
        """Ask for the lease.

        Raises:
            StoreUnavailable: no answer, or too few replicas have it: whether the lease was taken is unknown.  Or no Sentinel has
                named this server lately; then nothing was asked.
            StoreRefused: Redis said no.
        """
        if not self._link.source.vouched:
            raise StoreUnavailable(
                "no Sentinel tells whether this Redis is still the master, so no lease is taken"
            )
        arguments: list[Argument] = [
            *(ask.node, ask.boot, _ms(ask.timing.ttl), _ms(ask.timing.lock_delay)),
            *(self._link.source.config_epoch, ask.floor),
            *(ask.sight.event, ask.sight.identity, _ms(ask.silence), _ms(ask.age)),
        ]
        reply, replicas = await self._line.script(
            _ACQUIRE, [*self._keys, self._control], arguments, replicas=self._replicas
        )
        answer = read_answer(reply)
        if isinstance(answer, Granted):
            self._insist(replicas)
        elif replicas < self._replicas:
            return Refused("ALONE", ALONE)
        return answer

    async def renew(self, token: Token) -> bool:
        """Keep the lease for another ttl; False if it is not held under `token` any more.

        Raises:
            StoreUnavailable: no answer, or too few replicas have it: whether it was prolonged is unknown.
            StoreRefused: Redis said no.
        """
        source = self._link.source
        where = f"{token} {source.identity}"
        epoch = str(source.config_epoch) if where != self._vouched else ""
        arguments: list[Argument] = [str(token), _ms(self._timing.ttl), epoch]
        reply, replicas = await self._line.script(
            _RENEW, self._keys[:3], arguments, replicas=self._replicas
        )
        if reply[0] != b"OK":
            return False
        self._insist(replicas)
        self._vouched = where
        return True

    async def release(
        self,
        token: Token,
        heir: str,
        barred: float,
        reason: str,
        *,
        cause: Cause = "",
        by: str = "",
    ) -> bool:
        """Give the lease back, to `heir` if named, and bar its holder for `barred` seconds; False if it was not held.

        `cause`, `reason` and `by` are for the history: why, in words, and who asked for it.

        Raises:
            StoreUnavailable: no answer; whether it was given back is unknown.
            StoreRefused: Redis said no.
        """
        leaver = f"{token.node}/{token.boot}" if barred else ""
        arguments: list[Argument] = [
            *(str(token), heir, _ms(HAND_OVER), leaver, _ms(barred)),
            *(reason, cause, by),
        ]
        reply, _ = await self._line.script(_RELEASE, self._keys, arguments)
        return bool(reply[0] == b"OK")

    def _insist(self, replicas: int) -> None:
        if replicas < self._replicas:
            raise StoreUnavailable(
                f"{replicas} of {self._replicas} replicas have confirmed the lease in time"
            )


@asynccontextmanager
async def open_lease(
    link: Link, keys: Keys, timing: Timing, *, replicas: int = 0
) -> AsyncIterator[LeaseStore]:
    """Open the lease's own connection; `replicas` of Redis's replicas must have a lease before it counts."""
    async with link.line(timing.op_timeout) as line:
        yield LeaseStore(link, keys, line, timing, replicas)


def read_answer(reply: Sequence[Any]) -> Answer:
    """Return what a raw reply of `lease_acquire.lua` means."""
    kind = reply[0].decode()
    if kind == "OK":
        return Granted(Token.parse(reply[1].decode()))
    if kind == "CHANGED":
        return Changed(Sight(reply[1].decode(), reply[2].decode()))
    return Refused(cast("RefusalKind", kind), int(reply[1]) / 1000)


def read_event(sight: Sight, fields: Sequence[bytes]) -> Event | None:
    """Return the event that a stream entry stands for, or None if this version cannot read it."""
    entry = _pairs(fields)
    kind = entry.get("event", "")
    try:
        token = Token.parse(entry["token"]) if "token" in entry else None
    except ValueError:
        return None
    if kind not in get_args(EventKind):
        return None
    known = {name: entry.get(name, "") for name in ("to", "reason", "by", "code")}
    request = entry.get("request", "") or (sight.event if kind == "step-down" else "")
    return Event(
        cast("EventKind", kind),
        sight,
        token,
        **known,
        request=request,
        hold=_read_span(entry.get("hold", "")),
        force=entry.get("force") == "1",
    )


def _read_span(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


async def _read_run_id(reader: Reader) -> str:
    lines = _text(await reader.read("INFO", "server")).splitlines()
    return next(line.removeprefix("run_id:") for line in lines if line.startswith("run_id:"))


async def _read_newest(reader: Reader, events: str) -> str:
    entries = await reader.read("XREVRANGE", events, "+", "-", "COUNT", 1)
    return _text(entries[0][0]) if entries else _NO_EVENT


def _text(raw: bytes) -> str:
    return raw.decode()


def _pairs(flat: Sequence[bytes]) -> dict[str, str]:
    texts = list(map(_text, flat))
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _by_age(event: str) -> tuple[int, int]:
    milliseconds, _, sequence = event.partition("-")
    return int(milliseconds), int(sequence)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
