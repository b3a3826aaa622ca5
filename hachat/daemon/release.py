"""What is done for a daemon that died: its lease is given back, and its node lease ended.

Every millisecond until then is one without a master.  So this is a process of its own that imports almost nothing: no trio,
no redis-py, no click, no msgspec.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextlib import closing
from threading import Thread
from time import monotonic, sleep

from hachat.core.errors import StoreError, StoreUnavailable
from hachat.daemon.lease_file import Holding, Redis, lives, locate, read, read_place
from hachat.store.errand import Address, Errand, find_master, make_context, read_url
from hachat.store.keys import Keys
from hachat.store.scripts import read as read_script

DONE = 0
"""Exit code: it is done, or there is nothing to do."""

REFUSED = 2
"""Exit code: the process still lives, or the file cannot be used."""

UNREACHABLE = 5
"""Exit code: Redis cannot be reached; the lease runs out by itself."""

LIMIT = 1.5
"""Seconds after which it gives up, whatever it waits for: systemd starts no other daemon before."""

PATIENCE = 1.0
"""Seconds for which it asks the Sentinels again while a failover is under way."""

_AGAIN = 0.05
"""Seconds between two questions."""

_STEP = 0.5
"""Longest wait in seconds for one answer of Redis."""


def main() -> int:
    """Give back what the daemon of this service held; say in a line what was done, and return the exit code."""
    told: list[tuple[int, str]] = []

    def act() -> None:
        told.append(_try(os.environ))

    # Looking up a name has no timeout of its own; a thread can be left behind in it.
    thread = Thread(target=act, daemon=True)
    thread.start()
    thread.join(LIMIT)
    code, sentence = (
        told[0] if told else (UNREACHABLE, f"Redis has not answered within {LIMIT:g} s")
    )
    print(f"hachat: {sentence}" if code else sentence, file=sys.stderr if code else sys.stdout)
    return code


def _try(environ: Mapping[str, str]) -> tuple[int, str]:
    try:
        return _act(environ)
    except StoreError as error:
        return UNREACHABLE, str(error)
    except (OSError, ValueError) as error:
        return REFUSED, str(error)


def _act(environ: Mapping[str, str]) -> tuple[int, str]:
    path = locate(environ)
    if path is None:
        return DONE, "nothing to give back: $RUNTIME_DIRECTORY, which systemd sets, is not set"
    holding = read(path)
    if holding is None:
        return DONE, f"nothing to give back: there is no {path}"
    if holding.place != read_place():
        return (
            REFUSED,
            f"{path} was written in another place, {holding.place}; nothing is given back",
        )
    if lives(holding):
        return REFUSED, f"process {holding.pid} still lives and keeps its lease; stop it first"
    with closing(_reach(holding.redis)) as errand:
        return DONE, _give_back(errand, Keys(holding.cluster), holding, _name_reason(environ))


def _reach(settings: Redis) -> Errand:
    give_up = monotonic() + (PATIENCE if settings.sentinels else 0.0)
    while True:
        try:
            return _reach_master(settings)
        except StoreUnavailable as error:
            if monotonic() >= give_up:
                rest = "; the lease runs out by itself" if settings.sentinels else ""
                raise StoreUnavailable(f"{error}{rest}") from error
        sleep(_AGAIN)


def _reach_master(settings: Redis) -> Errand:
    errand = Errand(_find(settings), _STEP)
    role = errand.ask(("ROLE",))[0][0]
    if role != b"master":
        errand.close()
        raise StoreUnavailable(
            f"Redis is not available: the server is a {role.decode()}, not a master"
        )
    return errand


def _find(settings: Redis) -> Address:
    if not settings.sentinels:
        return read_url(
            settings.url,
            username=settings.username,
            password=settings.password,
            tls=settings.tls,
            tls_ca=settings.tls_ca,
        )
    context = make_context(settings.tls_ca) if settings.tls else None
    sentinel = Address(
        username=settings.sentinel_username, password=settings.sentinel_password, context=context
    )
    parts = [address.rpartition(":") for address in settings.sentinels]
    sentinels = [
        sentinel._replace(host=host.strip("[]"), port=int(port)) for host, _, port in parts
    ]
    return find_master(sentinels, settings.service)._replace(
        username=settings.username,
        password=settings.password,
        context=context,
    )


def _give_back(errand: Errand, keys: Keys, holding: Holding, reason: str) -> str:
    released = bool(holding.token) and _release(errand, keys, holding.token, reason)
    missed = _end_node_lease(errand, keys, holding.consumer)
    lease = f"gave back the lease {holding.token}" if released else "held no lease"
    conversations = "others take over its conversations" if missed else "nobody misses it"
    return f"{holding.node}, process {holding.pid}: {lease}; {conversations} ({reason})"


def _release(errand: Errand, keys: Keys, token: str, reason: str) -> bool:
    names = map(keys.of, ("lease", "meta", "events", "history"))
    script = read_script("lease_release")
    (answer,) = errand.ask(("EVAL", script, 4, *names, token, "", 0, "", 0, reason, "crash"))
    return bool(answer[0] == b"OK")


def _end_node_lease(errand: Errand, keys: Keys, consumer: str) -> bool:
    """Let the node lease end now, if it has one, so that the next beat of any node finds it run out."""
    (clock,) = errand.ask(("TIME",))
    now = int(clock[0]) * 1000 + int(clock[1]) // 1000
    nodes = keys.of("nodes")
    _, found = errand.ask(
        ("ZADD", nodes, "XX", "LT", now - 1, consumer), ("ZSCORE", nodes, consumer)
    )
    return found is not None


def _name_reason(environ: Mapping[str, str]) -> str:
    """Return `crash`, and what systemd tells its ExecStopPost= about the end of the process."""
    names = ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS")
    words = [re.sub(r"[^\w-]", "", environ.get(name, ""))[:40] for name in names]
    return " ".join(filter(None, ("crash", *words)))
