"""May our user run what the code and the scripts run?  Tried on a key of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from secrets import token_hex

from hachat.core.errors import StoreRefused
from hachat.store.keys import Keys
from hachat.store.link import Link

_CALL = re.compile(r"redis\.p?call\('([A-Za-z]+)'")

_DIRECT = ("BLPOP", "CLIENT", "EVALSHA", "PING", "PUBLISH", "ROLE", "WAIT", "XREAD")
"""Commands that no script runs; the others of those that are asked directly are in one, too."""

_KEYLESS: dict[str, Sequence[str]] = {
    "CLIENT": ("ID",),
    "EVALSHA": ("0" * 40, "0"),
    "INFO": ("server",),
    "PING": (),
    "PUBLISH": ("hachat:confirm", ""),
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

_DENIED = re.compile(r"NOPERM|can't run this command|can't access", re.IGNORECASE)
_TOO_FEW = re.compile(r"wrong number", re.IGNORECASE)


def list_commands() -> list[str]:
    """Return the names of all commands that are used."""
    texts = [
        file.read_text("utf-8")
        for file in files("hachat.store.scripts").iterdir()
        if file.name.endswith(".lua")
    ]
    return sorted({name.upper() for text in texts for name in _CALL.findall(text)} | set(_DIRECT))


async def find_denied(link: Link, keys: Keys) -> list[str]:
    """Return the commands that Redis does not let us run on the cluster's keys; `EVAL` alone if scripts are forbidden.

    Raises:
        StoreUnavailable: Redis did not answer.
        StoreRefused: it said no to something else.
    """
    key = f"{keys.of('doctor')}:{token_hex(4)}"
    try:
        await link.command("EVAL", "return redis.call('DEL', KEYS[1])", 1, key)
    except StoreRefused as error:
        if _DENIED.search(str(error)) and "DEL" not in str(error).upper():
            return ["EVAL"]
    try:
        return [name for name in list_commands() if await _is_denied(link, key, name)]
    finally:
        await link.command("DEL", key)


async def _is_denied(link: Link, key: str, name: str) -> bool:
    if name in _KEYLESS:
        return await _try(link, name, *_KEYLESS[name]) == "denied"
    if name in _SPECIAL:
        words = [word.format(key=key) for word in _SPECIAL[name]]
        return await _try(link, name, *words) == "denied"
    for count in range(_MOST):
        outcome = await _try(link, name, key, *["1"] * count)
        if outcome != "too few":
            return outcome == "denied"
    return False


async def _try(link: Link, *command: str) -> str:
    """Return `denied`, `too few` arguments, or `allowed`: whatever else it says, it would have run it."""
    try:
        await link.command(*command)
    except StoreRefused as error:
        text = str(error)
        return (
            "denied" if _DENIED.search(text) else "too few" if _TOO_FEW.search(text) else "allowed"
        )
    return "allowed"
