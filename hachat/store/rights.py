"""May our user run what the code and the scripts run?

Each command is tried by itself on a key of its own, which tells all that is missing at once, and then each script is run
whole, which tells what else does not go: a subcommand that is forbidden, or what the server is too old for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Literal

import redis.exceptions

from hachat.core.errors import StoreError, StoreRefused, StoreUnavailable
from hachat.core.facts import Rights
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import list_names, read
from hachat.store.trials import PREPARING, try_script

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
    ("missing", re.compile(r"unknown (redis )?command", re.IGNORECASE)),
    ("too few", re.compile(r"wrong number", re.IGNORECASE)),
    ("channel", re.compile(r"access.*channel", re.IGNORECASE)),
    ("key", re.compile(r"access.*key", re.IGNORECASE)),
    (
        "denied",
        re.compile(r"NOPERM|no permissions|can't run this command|can't access", re.IGNORECASE),
    ),
)
"""What an error means, the first that fits; Redis looks for all of these before it looks at anything else."""

_REFUSALS: frozenset[Outcome] = frozenset({"missing", "channel", "key", "denied"})

_PASSING = re.compile(r"NOREPLICAS|READONLY|OOM|MISCONF|WRONGTYPE")
"""What no script is to blame for: what the server is short of is for another check to say, the type of a key for the trial."""


def list_commands() -> list[str]:
    """Return the names of all commands that are used."""
    return sorted({*_DIRECT}.union(*map(_list_calls, list_names())))


def _list_calls(name: str) -> set[str]:
    return {command.upper() for command in _CALL.findall(read(name))}


async def find_rights(link: Link, keys: Keys) -> Rights:
    """Return what Redis does not let us run on the cluster's keys, or does not know.

    `DEL` alone if that is forbidden, for nothing could be cleaned up; `EVAL` alone if scripts are, and `~<pattern>`
    alone if the keys are.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    key = f"{keys.of('doctor')}:{token_hex(4)}"
    for name, *rest in (("DEL", key), ("EVAL", "return 1", "1", key)):
        tried: dict[str, Outcome] = {name: await _try(link, name, *rest)}
        if tried[name] in _REFUSALS:
            return _sum_up(keys, tried, {})
    try:
        found: dict[str, Outcome] = {
            name: await _probe(link, key, name) for name in list_commands()
        }
    finally:
        with suppress(StoreError):
            await link.command("DEL", key)  # refused only where nothing was written either
    return _sum_up(keys, found, await _try_scripts(link, f"{key}:"))


def _sum_up(
    keys: Keys, commands: Mapping[str, Outcome], faults: Mapping[str, Mapping[str, str]]
) -> Rights:
    found = dict(commands)
    for name, text in [fault for met in faults.values() for fault in met.items()]:
        outcome = _read(text)
        if outcome in _REFUSALS and found.get(name.partition("|")[0]) not in _REFUSALS:
            found[name] = outcome
    denied = [name for name, outcome in found.items() if outcome == "denied"]
    missing = [name for name, outcome in found.items() if outcome == "missing"]
    users = _name_users(denied + missing, faults)
    if "key" in found.values():
        denied.append(f"~{keys.of('')}*")  # some commands may use them, such as those that read
    if "channel" in found.values():
        denied.append(f"&{_CHANNEL}*")
    failing = {script: _find_failure(met) for script, met in faults.items()}
    return Rights(
        tuple(denied),
        tuple(missing),
        users,
        {script: failure for script, failure in failing.items() if failure},
    )


async def _try_scripts(link: Link, prefix: str) -> dict[str, dict[str, str]]:
    """Return for each script what went wrong with it, by command."""
    info = (await link.command("INFO", "server")).decode("utf-8", "replace")
    run_id = info.partition("run_id:")[2].partition("\r\n")[0]
    faults: dict[str, dict[str, str]] = {}
    for name in list_names():
        try:
            met = await try_script(link, name, prefix, run_id)
        except StoreRefused as error:
            met = {"": str(error)}
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, redis.exceptions.ResponseError):
                raise
            met = {}
        faults[name] = _pick_faults(met)
    return faults


def _pick_faults(met: Mapping[str, str]) -> dict[str, str]:
    """Return what went wrong; what may be for want of keys, which could not be prepared, counts only if it is a refusal."""
    prepared = PREPARING not in met
    return {
        name: text
        for name, text in met.items()
        if text and name != PREPARING and (prepared or _read(text) in _REFUSALS)
    }


def _name_users(
    commands: Sequence[str], faults: Mapping[str, Mapping[str, str]]
) -> dict[str, list[str]]:
    """Return the scripts that run each command: as one that misses a right ends early, their texts tell too."""
    calls = {script: _list_calls(script).union(faults.get(script, ())) for script in list_names()}
    users = {name: [script for script in calls if name in calls[script]] for name in commands}
    return {name: scripts for name, scripts in users.items() if scripts}


def _find_failure(met: Mapping[str, str]) -> str:
    """Return why a script does not run where neither rights nor the server's state are the reason."""
    if any(_read(text) in _REFUSALS or _PASSING.search(text) for text in met.values()):
        return ""
    return "; ".join(f"{name}: {text}" if name else text for name, text in met.items())


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
        return _read(str(error))
    except StoreUnavailable as error:
        # Without enough replicas a write that is allowed is refused all the same: that is for another check to say.
        if isinstance(error.__cause__, redis.exceptions.ResponseError):
            return "allowed"
        raise
    return "allowed"


def _read(text: str) -> Outcome:
    for outcome, pattern in _SAYS:
        if pattern.search(text):
            return outcome
    return "allowed"
