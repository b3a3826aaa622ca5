"""The facts behind `core/diagnosis.py`, asked of Redis and of its Sentinels."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hachat.core.diagnosis import Facts, Replica, Server
from hachat.core.errors import StoreRefused
from hachat.store.link import Link

_REPLICA = re.compile(
    r"ip=(?P<ip>[^,]*),port=(?P<port>\d+),state=(?P<state>\w+),.*lag=(?P<lag>-?\d+)"
)

Ask = Callable[..., Awaitable[Any]]


async def examine(link: Link) -> Facts:
    """Return what Redis and the Sentinels say of themselves; nodes and rights are not asked here.

    Raises:
        StoreError: Redis cannot be asked.
    """
    sentinels = await link.source.inspect()
    began = time.time()
    seconds, micros = await link.command("TIME")
    # Redis said it somewhere between the two.
    ahead = int(seconds) + int(micros) / 1e6 - (began + time.time()) / 2
    text = (await link.command("INFO")).decode("utf-8", "replace")
    wanted = await _read_config(link.command)
    return Facts(server=read_server(text, wanted, clock=ahead), sentinels=sentinels)


async def _read_config(ask: Ask) -> dict[str, str] | None:
    try:
        flat = await ask("CONFIG", "GET", "min-replicas-*")
    except StoreRefused:
        return None  # a managed Redis forbids it, or has another name for it
    texts = [part.decode() for part in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def read_server(info: str, config: Mapping[str, str] | None, *, clock: float) -> Server:
    """Return what the answers to INFO and CONFIG GET say; `config` is None where the latter was refused."""
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    product = "Valkey" if "valkey_version" in fields else "Redis"
    version = fields.get("valkey_version") or fields.get("redis_version", "0")
    return Server(
        product=product,
        version=tuple(map(int, re.findall(r"\d+", version))),
        replicas=list(_read_replicas(fields)),
        min_replicas=_read_min_replicas(fields, config),
        max_lag=None if config is None else int(config.get("min-replicas-max-lag", 0)),
        append_only=fields.get("aof_enabled") == "1",
        policy=fields.get("maxmemory_policy", "noeviction"),
        used=int(fields.get("used_memory", 0)),
        limit=int(fields.get("maxmemory", 0)),
        clock=clock,
    )


def _read_min_replicas(fields: Mapping[str, str], config: Mapping[str, str] | None) -> int | None:
    if config is not None:
        return int(config.get("min-replicas-to-write", 0))
    # INFO has this line only where the setting is in force; it does not tell how many are wanted.
    return 1 if "min_slaves_good_slaves" in fields else None


def _read_replicas(fields: Mapping[str, str]) -> list[Replica]:
    found = [
        _REPLICA.match(text) for name, text in fields.items() if re.fullmatch(r"slave\d+", name)
    ]
    return [
        Replica(f"{each['ip']}:{each['port']}", each["state"] == "online", int(each["lag"]))
        for each in found
        if each
    ]
