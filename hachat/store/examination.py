"""The facts behind `core/diagnosis.py`, asked of Redis, of its replicas and of its Sentinels."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import trio
from msgspec.structs import replace

from hachat.core.errors import StoreError, StoreRefused
from hachat.core.facts import Facts, Replica, Server
from hachat.store.client import Argument, Client
from hachat.store.link import Link
from hachat.store.source import Source
from hachat.store.translation import unwrap

PATIENCE = 0.5
"""Seconds a replica has to tell its settings; they are asked all at once."""

_REPLICA = re.compile(
    r"ip=(?P<ip>[^,]*),port=(?P<port>\d+),state=(?P<state>\w+),.*lag=(?P<lag>-?\d+)"
)

_SETTINGS = ("min-replicas-*", "appendfsync")
"""What INFO does not tell; Redis before 7.0 takes one pattern at a time."""

_APPEND_ONLY = {"1": True, "0": False}

Ask = Callable[..., Awaitable[Any]]


async def examine(link: Link) -> Facts:
    """Return what Redis, its replicas and the Sentinels say of themselves; nodes and rights are not asked here.

    Raises:
        StoreError: Redis cannot be asked.
    """
    sentinels = await link.source.inspect()
    server = await _examine_server(link.command)
    replicas = await _examine_replicas(link.source, server.replicas)
    return Facts(server=replace(server, replicas=replicas), sentinels=sentinels)


async def _examine_server(ask: Ask) -> Server:
    began = time.time()
    seconds, micros = await ask("TIME")
    # Redis said it somewhere between the two.
    ahead = int(seconds) + int(micros) / 1e6 - (began + time.time()) / 2
    text = (await ask("INFO")).decode("utf-8", "replace")
    return read_server(text, await _read_config(ask), clock=ahead)


async def _examine_replicas(source: Source, replicas: Sequence[Replica]) -> list[Replica]:
    found: list[Replica] = []

    async def examine_one(replica: Replica) -> None:
        found.append(await _examine_replica(source, replica))

    async with trio.open_nursery() as nursery:
        for replica in replicas:
            nursery.start_soon(examine_one, replica)
    return sorted(found, key=lambda each: each.address)


async def _examine_replica(source: Source, replica: Replica) -> Replica:
    host, _, port = replica.address.rpartition(":")
    with (
        closing(source.reach(host, int(port), PATIENCE)) as client,
        trio.move_on_after(PATIENCE),
    ):
        try:
            return replace(replica, itself=await _examine_server(partial(_ask, client)))
        except StoreRefused as error:
            return replace(replica, refusal=str(error))
        except StoreError as error:
            return replace(replica, fault=str(error))
    return replace(replica, fault=f"no answer within {PATIENCE} s")


async def _ask(client: Client, *command: Argument) -> Any:
    (outcome,) = await client.ask([command])
    return unwrap(outcome)


async def _read_config(ask: Ask) -> dict[str, str] | None:
    texts: list[str] = []
    try:
        for pattern in _SETTINGS:
            texts += [part.decode() for part in await ask("CONFIG", "GET", pattern)]
    except StoreRefused:
        return None  # a managed Redis forbids it, or has another name for it
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
        append_only=_APPEND_ONLY.get(fields.get("aof_enabled", "")),
        policy=fields.get("maxmemory_policy", ""),
        used=int(fields.get("used_memory", 0)),
        limit=int(fields.get("maxmemory", 0)),
        clock=clock,
        fsync="" if config is None else config.get("appendfsync", ""),
        priority=int(fields.get("slave_priority", 100)),
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
