"""May our user run what the code and the scripts run?  Tried on a key of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from secrets import token_hex
from typing import Literal

import redis.exceptions

from hachat.core.errors import StoreError, StoreRefused, StoreUnavailable
from hachat.core.facts import Rights
from hachat.store.keys import Keys
from hachat.store.link import Link

_CALL = re.compile(r"redis\.p?call\('([A-Za-z]+)'")

_CHANNEL = "hachat:"

_DIRECT = ("BLPOP", "CLIENT", "EVALSHA", "PING", "PUBLISH", "ROLE", "WAIT", "XREAD")
"""Commands that no script runs; the others of those that are asked directly are in one, too."""

_KEYLESS: dict[str, Sequence[str]] = {
    "CLIENT": ("ID",),
    "EVALSHA": ("0" * 40, "0"),
    "INFO": ("server",),
    "PING": (),
    "PUBLISH": (f"{_CHANNEL}confirm", ""),
    "ROLE": (),
    "TIME": (),
    "WAIT": ("0", "1"),
}

_SPECIAL = {
    "BLPOP": ("{key}", "0.001"),
    "XGROUP": ("CREATE", "{key}", "g", "$", "MKSTREAM"),
    "XINFO": ("STREAM", "{key}"),
    "XREAD": ("COUNT", "1", "STREAMS", "{key}", "0"),
    "XREADGROUP": ("GROUP", "g", "c", "STREAMS", "{key}", ">"),
}

_MOST = 6
"""Arguments after which a command that still misses some is left."""

Outcome = Literal["missing", "too few", "channel", "key", "denied", "allowed"]

_SAYS: Sequence[tuple[Outcome, re.Pattern[str]]] = (
    ("missing", re.compile(r"unknown command", re.IGNORECASE)),
    ("too few", re.compile(r"wrong number", re.IGNORECASE)),
    ("channel", re.compile(r"access.*channel", re.IGNORECASE)),
    ("key", re.compile(r"access.*key", re.IGNORECASE)),
    ("denied", re.compile(r"NOPERM|can't run this command|can't access", re.IGNORECASE)),
)
"""What an error means, the first that fits; Redis looks for all of these before it looks at anything else."""


def list_commands() -> list[str]:
    """Return the names of all commands that are used."""
    texts = [
        file.read_text("utf-8")
        for file in files("hachat.store.scripts").iterdir()
        if file.name.endswith(".lua")
    ]
    return sorted({name.upper() for text in texts for name in _CALL.findall(text)} | set(_DIRECT))


async def find_rights(link: Link, keys: Keys) -> Rights:
    """Return what Redis does not let us run on the cluster's keys, or does not know.

    `DEL` alone if that is forbidden, for nothing could be cleaned up; `EVAL` alone if scripts are, and `~<pattern>`
    alone if the keys are.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    key = f"{keys.of('doctor')}:{token_hex(4)}"
    for name, *rest in (("DEL", key), ("EVAL", "return 1", "1", key)):
        outcome = await _try(link, name, *rest)
        if outcome == "key":
            return Rights((f"~{keys.of('')}*",))
        if outcome in {"denied", "missing"}:
            return Rights(**{outcome: (name,)})
    try:
        found = {name: await _probe(link, key, name) for name in list_commands()}
    finally:
        with suppress(StoreError):
            await link.command("DEL", key)  # refused only where nothing was written either
    denied = [name for name, outcome in found.items() if outcome == "denied"]
    if "key" in found.values():
        denied.append(f"~{keys.of('')}*")  # some commands may use them, such as those that read
    if "channel" in found.values():
        denied.append(f"&{_CHANNEL}*")
    missing = [name for name, outcome in found.items() if outcome == "missing"]
    return Rights(tuple(denied), tuple(missing))


async def _probe(link: Link, key: str, name: str) -> Outcome:
    if name in _KEYLESS:
        return await _try(link, name, *_KEYLESS[name])
    if name in _SPECIAL:
        return await _try(link, name, *[word.format(key=key) for word in _SPECIAL[name]])
    for count in range(_MOST):
        outcome = await _try(link, name, key, *["1"] * count)
        if outcome != "too few":
            return outcome
    return "too few"


async def _try(link: Link, *command: str) -> Outcome:
    """Return what became of it: `allowed` if it was run, or would have been but for its arguments."""
    try:
        await link.command(*command)
    except StoreRefused as error:
        return _read(error)
    except StoreUnavailable as error:
        # Without enough replicas a write that is allowed is refused all the same: that is for another check to say.
        if isinstance(error.__cause__, redis.exceptions.ResponseError):
            return "allowed"
        raise
    return "allowed"


def _read(error: StoreRefused) -> Outcome:
    text = str(error)
    for outcome, pattern in _SAYS:
        if pattern.search(text):
            return outcome
    return "allowed"
