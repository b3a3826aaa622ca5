"""A step-down that is ordered for a time: it waits in the hash of orders until the master of that time carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec

from hachat.core.errors import StepDownRefused
from hachat.core.lease import Token
from hachat.core.stepdown import Order
from hachat.store.audit import LONGEST
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import load

FIELD = "step-down"
"""The field of the hash `control`."""

LATE = 60.0
"""Seconds after which a step-down that nobody has carried out is dropped."""

_DUE, _ORDER = load("step_down_due"), load("step_down_order")


class Scheduled(msgspec.Struct, frozen=True):
    """An order for the time `due`, named `id`, that was given at the time `at`; both in Unix seconds by Redis's clock.

    Where `leaver` is named, it is for that master only.
    """

    id: str
    due: float
    at: float
    to: str = ""
    reason: str = ""
    by: str = ""
    hold: float = 0.0
    force: bool = False
    leaver: str = ""


class Look(msgspec.Struct, frozen=True):
    """What a look at the schedule found: `wait` is the seconds until it is due."""

    kind: Literal["NONE", "WAIT", "ASKED", "MISSED", "CHANGED", "LOST"]
    wait: float = 0.0
    order: str = ""


async def read_time(link: Link) -> float:
    """Return the time of day by Redis's clock, in Unix seconds.

    Raises:
        StoreError: Redis cannot be asked.
    """
    seconds, microseconds = await link.command("TIME")
    return int(seconds) + int(microseconds) / 1_000_000


async def schedule(
    link: Link, keys: Keys, name: str, due: float, order: Order, *, leaver: str = ""
) -> Scheduled:
    """Have the master of the time `due`, in Unix seconds, carry out `order`, if it is `leaver`, where that is named.

    Asked again under one name, it is still one.

    Raises:
        StepDownRefused: another one waits already.
        StoreError: Redis did not answer, or said no.
    """
    one = Scheduled(
        name,
        due,
        await read_time(link),
        to=order.to,
        reason=order.reason,
        by=order.by,
        hold=order.hold,
        force=order.force,
        leaver=leaver,
    )
    deed = {"did": "scheduled step-down", "by": order.by, "node": leaver, "to": order.to}
    deed |= {"reason": order.reason, "due": _tell_time(due)}
    await _order(link, keys, msgspec.json.encode(one), deed)
    found = await read_scheduled(link, keys)
    if found is not None and found.id == name:
        return found
    raise StepDownRefused(
        "another step-down is scheduled already; see `hachat status`,"
        " and take it back with `hachat step-down --cancel`",
        "pending",
    )


async def read_scheduled(link: Link, keys: Keys) -> Scheduled | None:
    """Return the step-down that waits for its time, if there is one.

    Raises:
        StoreError: Redis cannot be asked.
    """
    return _read(await link.command("HGET", keys.of("control"), FIELD))


async def cancel(link: Link, keys: Keys, by: str) -> bool:
    """Take back the step-down that waits for its time, as `by` wants it; False if there was none.

    Raises:
        StoreError: Redis did not answer, or said no; it may be asked again.
    """
    return await _order(link, keys, b"", {"did": "cancelled step-down", "by": by})


async def look(link: Link, keys: Keys, token: Token) -> Look:
    """Ask the master `token`, in whose name this is called, for what has become due.

    Raises:
        StoreError: Redis did not answer, or said no; it may be asked again.
    """
    names = [keys.of(name) for name in ("lease", "events", "control", "audit")]
    kind, *rest = await link.script(_DUE, names, [str(token), int(LATE * 1000)])
    if kind == b"WAIT":
        return Look("WAIT", wait=int(rest[0]) / 1000)
    order = rest[0].decode("utf-8", "replace") if rest else ""
    return Look(kind.decode(), order=order)


async def _order(link: Link, keys: Keys, order: bytes, deed: Mapping[str, str]) -> bool:
    flat = (text[:LONGEST] for field in deed.items() if field[1] for text in field)
    names = (keys.of("control"), keys.of("audit"))
    return bool(await link.script(_ORDER, names, (order, *flat)))


def _tell_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _read(data: bytes | None) -> Scheduled | None:
    if not data:
        return None
    try:
        return msgspec.json.decode(data, type=Scheduled)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Scheduled("", 0.0, 0.0, reason="what was ordered cannot be read")
