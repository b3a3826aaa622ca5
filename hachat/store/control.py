"""What operators have ordered of the election and the nodes: one hash, which nodes, scripts and commands read.

==============  ==========================================================================================
field           content
==============  ==========================================================================================
pause           nobody takes the lease by itself
drain:<node>    the node never becomes master and takes no new work
hold:<node>     the node may not become master until a time
step-down       a step-down that waits for its time; it is `schedule.py`'s, and of another form
missed          the last step-down whose time has gone by without it, for a day; `at` is when it was due
==============  ==========================================================================================

Each is JSON with `by`, `reason`, `at` and, if it ends by itself, `until` (Unix seconds by Redis's clock).  That clock serves
courtesy only: who may lead safely is a matter of the lease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from hachat.core.errors import UsageError
from hachat.core.phrases import Phrase, join_phrases
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import load

_CONTROL = load("control")

_PAUSE = "pause"
_DRAIN = "drain:"
_HOLD = "hold:"
_MISSED = "missed"


class Directive(msgspec.Struct, frozen=True):
    """One thing that somebody has ordered; `at` and `until` are Unix seconds, without `until` it does not end by itself."""

    by: str = ""
    reason: str = ""
    at: float = 0.0
    until: float | None = None

    def describe(self) -> str:
        """Return since when, by whom, until when and why, to stand behind what it is."""
        words = [Phrase("since {time}", time=format_moment(self.at))] if self.at else []
        words += [Phrase("by {user}", user=self.by)] if self.by else []
        if self.until is not None:
            words += [Phrase("until {time}", time=format_moment(self.until))]
        told = join_phrases(words, " ")
        if not told:
            return f"({self.reason})" if self.reason else ""
        return join_phrases([told, self.reason], ": ") if self.reason else told


class Control(msgspec.Struct, frozen=True):
    """Everything that is ordered at a moment; `drains` and `holds` are by the names of nodes.

    `missed` is a scheduled step-down that was not carried out lately, due at its `at`.
    """

    pause: Directive | None = None
    drains: Mapping[str, Directive] = {}
    holds: Mapping[str, Directive] = {}
    missed: Directive | None = None


_directives = msgspec.json.Decoder(Directive)


def parse_control(fields: Mapping[str, bytes], now: float) -> Control:
    """Return what the hash `fields` orders at `now`, in Unix seconds; what has ended is left out."""
    found = {name: _parse(data) for name, data in fields.items()}
    valid = {name: one for name, one in found.items() if one.until is None or one.until > now}
    drains, holds = _pick(valid, _DRAIN), _pick(valid, _HOLD)
    return Control(valid.get(_PAUSE), drains, holds, valid.get(_MISSED))


async def read_control(link: Link, keys: Keys) -> Control:
    """Return what is ordered now.

    Raises:
        StoreError: Redis cannot be asked.
    """
    flat = await link.command("HGETALL", keys.of("control"))
    names = map(bytes.decode, flat[::2])
    return parse_control(dict(zip(names, flat[1::2], strict=True)), await _read_clock(link))


async def pause(
    link: Link, keys: Keys, *, by: str, reason: str = "", seconds: float | None = None
) -> Directive:
    """Let nobody take the lease by itself, for so many seconds or until `resume`.

    Raises:
        StoreError: Redis said no, or nothing: then it may have been written, and may be asked again.
    """
    return await _order(link, keys, _PAUSE, by=by, reason=reason, seconds=seconds)


async def resume(link: Link, keys: Keys, *, by: str = "") -> bool:
    """End the pause; False if there was none.  Raises as `pause` does."""
    return await _take_back(link, keys, _PAUSE, "resume", by)


async def drain(link: Link, keys: Keys, node: str, *, by: str, reason: str = "") -> Directive:
    """Let `node` neither become master nor take new work, until `undrain`.

    Raises:
        UsageError: no such node is known.
        StoreError: as `pause`.
    """
    await check_known(link, keys, node)
    return await _order(link, keys, _DRAIN + node, by=by, reason=reason)


async def undrain(link: Link, keys: Keys, node: str, *, by: str = "") -> bool:
    """Take a drain back; False if the node was not drained.  Raises as `pause` does."""
    return await _take_back(link, keys, _DRAIN + node, "undrain", by)


async def hold(
    link: Link, keys: Keys, node: str, *, seconds: float, by: str, reason: str = ""
) -> Directive:
    """Let `node` not become master for so many seconds.

    Raises:
        UsageError: no such node is known.
        StoreError: as `pause`.
    """
    await check_known(link, keys, node)
    return await _order(link, keys, _HOLD + node, by=by, reason=reason, seconds=seconds)


async def unhold(link: Link, keys: Keys, node: str, *, by: str = "") -> bool:
    """Take a hold back; False if there was none.  Raises as `pause` does."""
    return await _take_back(link, keys, _HOLD + node, "unhold", by)


async def check_known(link: Link, keys: Keys, node: str) -> None:
    """Raise `UsageError`, with the names that are known, unless `node` is or was lately in the cluster."""
    consumers = await link.command("HKEYS", keys.of("members"))
    known = {consumer.decode().rpartition(":")[0] for consumer in consumers}
    if node not in known:
        names = ", ".join(sorted(known)) or "none"
        raise UsageError(f"no node is known as {node!r}; known are {names}")


async def _order(
    link: Link, keys: Keys, field: str, *, by: str, reason: str, seconds: float | None = None
) -> Directive:
    # The times are fixed before the script is called, so that a call that is repeated writes the same.
    now = await _read_clock(link)
    directive = Directive(by, reason, now, None if seconds is None else now + seconds)
    did, _, node = field.partition(":")
    await _write(link, keys, (field, msgspec.json.encode(directive), did, by, node, reason))
    return directive


async def _take_back(link: Link, keys: Keys, field: str, did: str, by: str) -> bool:
    return await _write(link, keys, (field, b"", did, by, field.partition(":")[2], ""))


async def _write(link: Link, keys: Keys, arguments: Sequence[str | bytes]) -> bool:
    names = [keys.of("control"), keys.of("events"), keys.of("audit")]
    return bool(await link.script(_CONTROL, names, arguments))


async def _read_clock(link: Link) -> float:
    seconds, microseconds = await link.command("TIME")
    return int(seconds) + int(microseconds) / 1_000_000


def format_moment(seconds: float) -> str:
    """Return a moment for people, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f}"


def _parse(data: bytes) -> Directive:
    try:
        return _directives.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The scripts obey it too: what cannot be read was ordered all the same, and can be taken back.
        return Directive(reason="what was ordered cannot be read")


def _pick(directives: Mapping[str, Directive], prefix: str) -> dict[str, Directive]:
    return {
        name.removeprefix(prefix): one
        for name, one in directives.items()
        if name.startswith(prefix)
    }
