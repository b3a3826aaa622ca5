"""Is Redis set up so that the promises hold?  Facts in, findings out.

A stock Redis is no safe place for a lease: with `min-replicas-to-write 0` a master that was replaced goes on acknowledging
writes for ten seconds, also after a planned failover, and all of them are lost.  What each check is about, and how to set
Redis up, is in `docs/operating.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from hachat.core.settings import FAILOVER_REST, LeaseSettings, RedisSettings

Verdict = Literal["ok", "warning", "UNSAFE", "unknown"]
"""`UNSAFE`: a promise does not hold as Redis is set up now; `warning`: it holds, until one more thing goes wrong."""

OLDEST = (6, 2)
"""The first release of Redis with every command that is used."""

SKEW = 1.0
"""Seconds by which clocks may differ before it is said."""

_LAG = 2
_FULL, _NEARLY_FULL = 0.95, 0.8
_FEW_SENTINELS = 3
_LONG_FAILOVER = 60.0


class Finding(Struct, frozen=True):
    """What one check has found, and what to do where that is not well."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.found}: {self.advice}" if self.advice else self.found


class Replica(Struct, frozen=True):
    """A replica as its master sees it; `lag` is seconds since it was heard of."""

    address: str
    online: bool
    lag: int


class Server(Struct, frozen=True):
    """The Redis that is written to; what it does not tell is None.

    `clock` is how many seconds its clock is ahead of ours; `used` and `limit` are bytes, a limit of 0 is none.
    """

    product: str
    version: tuple[int, ...]
    replicas: Sequence[Replica]
    min_replicas: int | None
    max_lag: int | None
    append_only: bool
    policy: str
    used: int
    limit: int
    clock: float


class Sentinel(Struct, frozen=True):
    """What one Sentinel says, or, as `fault`, why it says nothing; times are seconds."""

    address: str
    fault: str = ""
    master: str = ""
    config_epoch: int = 0
    quorum: int = 0
    known: int = 1
    down_after: float = 0.0
    failover_timeout: float = 0.0
    no_quorum: str = ""


class Peer(Struct, frozen=True):
    """A living node; `clock` is how many seconds its clock is ahead of ours, None if it did not answer."""

    name: str
    version: str
    clock: float | None = None


class Facts(Struct, frozen=True):
    """All that is known; `denied` are the commands that our user may not run, None where nobody has looked."""

    server: Server
    sentinels: Sequence[Sentinel] = ()
    peers: Sequence[Peer] = ()
    denied: Sequence[str] | None = None


def diagnose(facts: Facts, redis: RedisSettings, lease: LeaseSettings) -> list[Finding]:
    """Return what the facts mean for nodes with these settings."""
    server = facts.server
    return [
        _judge_version(server),
        *_judge_replicas(server, redis),
        _judge_persistence(server),
        *_judge_memory(server),
        *_judge_sentinels(facts.sentinels),
        *_judge_timing(facts.sentinels, lease),
        *_judge_clocks(facts),
        *_judge_versions(facts.peers),
        *_judge_rights(facts.denied),
    ]


def find_unsafe(facts: Facts, redis: RedisSettings, lease: LeaseSettings) -> list[str]:
    """Return a sentence for each promise that does not hold."""
    return [str(each) for each in diagnose(facts, redis, lease) if each.verdict == "UNSAFE"]


def _judge_version(server: Server) -> Finding:
    found = f"{server.product} {'.'.join(map(str, server.version))}"
    if server.product == "Redis" and server.version < OLDEST:
        return Finding("version", "UNSAFE", found, "install 6.2 or newer, or Valkey")
    return Finding("version", "ok", found)


def _judge_replicas(server: Server, redis: RedisSettings) -> Iterator[Finding]:
    fit = [each for each in server.replicas if each.online and each.lag <= _LAG]
    found = f"{len(fit)} of {len(server.replicas)} replicas are connected and in step"
    if not server.replicas and not redis.sentinels and not redis.replicas:
        yield Finding(
            "replicas",
            "warning",
            "a single server: while it is away nobody is master, and what is not on its disk is lost with it",
            "run replicas and three Sentinels, see docs/operating.md",
        )
        return
    if len(fit) < max(1, redis.replicas):
        advice = "start or repair a replica: without it nothing is acknowledged, or nothing survives its master"
        yield Finding("replicas", "UNSAFE", found, advice)
    elif len(fit) < len(server.replicas):
        yield Finding("replicas", "warning", found, "repair the other")
    else:
        yield Finding("replicas", "ok", found)
    yield _judge_old_master(server)


def _judge_old_master(server: Server) -> Finding:
    check = "old master"
    if server.min_replicas is None:
        return Finding(
            check,
            "unknown",
            "CONFIG GET is not allowed, so min-replicas-to-write is not known",
            "see that it is 1 on every server, and min-replicas-max-lag 2",
        )
    if server.min_replicas < 1:
        return Finding(
            check,
            "UNSAFE",
            "min-replicas-to-write is 0: a Redis master that was replaced goes on acknowledging writes that are lost",
            "on every server: CONFIG SET min-replicas-to-write 1, CONFIG SET min-replicas-max-lag 2, CONFIG REWRITE",
        )
    found = f"min-replicas-to-write {server.min_replicas}, min-replicas-max-lag {server.max_lag}"
    if server.max_lag is not None and not 0 < server.max_lag <= _LAG:
        advice = "on every server: CONFIG SET min-replicas-max-lag 2, CONFIG REWRITE; for so many seconds a cut off master goes on"
        return Finding(check, "warning", found, advice)
    return Finding(check, "ok", found)


def _judge_persistence(server: Server) -> Finding:
    if server.append_only:
        return Finding("persistence", "ok", "appendonly yes")
    verdict: Verdict = "UNSAFE" if server.replicas else "warning"
    found = (
        "appendonly no: a master that restarts is empty, and its replicas follow it"
        if server.replicas
        else "appendonly no: what waits is lost when it restarts"
    )
    advice = "on every server: CONFIG SET appendonly yes, CONFIG REWRITE"
    return Finding("persistence", verdict, found, advice)


def _judge_memory(server: Server) -> Iterator[Finding]:
    if server.policy == "noeviction":
        yield Finding("eviction", "ok", "maxmemory-policy noeviction")
    else:
        yield Finding(
            "eviction",
            "UNSAFE" if server.limit else "warning",
            f"maxmemory-policy {server.policy}: a full Redis drops messages, or the lease",
            "on every server: CONFIG SET maxmemory-policy noeviction, CONFIG REWRITE",
        )
    if server.limit:
        share = server.used / server.limit
        verdict: Verdict = (
            "UNSAFE" if share > _FULL else "warning" if share > _NEARLY_FULL else "ok"
        )
        advice = "raise maxmemory, or see `hachat queue` for what waits" if verdict != "ok" else ""
        yield Finding("memory", verdict, f"{share:.0%} of maxmemory is used", advice)


def _judge_sentinels(sentinels: Sequence[Sentinel]) -> Iterator[Finding]:
    if not sentinels:
        return
    well = [each for each in sentinels if not each.fault]
    majority = len(sentinels) // 2 + 1
    found = f"{len(well)} of {len(sentinels)} Sentinels answer"
    if len(well) < len(sentinels):
        silent = "; ".join(f"{each.address}: {each.fault}" for each in sentinels if each.fault)
        verdict: Verdict = "UNSAFE" if len(well) < majority else "warning"
        yield Finding("sentinels", verdict, f"{found} ({silent})", "start those that do not")
    else:
        yield Finding("sentinels", "ok", found)
    yield from _judge_agreement(well)
    yield from _judge_quorum(well)
    hosts = {each.address.rpartition(":")[0] for each in sentinels}
    if len(hosts) == 1:
        yield Finding(
            "hosts",
            "warning",
            "all Sentinels are on one host: without it nothing fails over",
            "run one on each of three servers",
        )


def _judge_agreement(well: Sequence[Sentinel]) -> Iterator[Finding]:
    named = {(each.master, each.config_epoch) for each in well}
    if len(named) > 1:
        said = "; ".join(
            f"{each.address}: {each.master}, epoch {each.config_epoch}" for each in well
        )
        yield Finding(
            "agreement",
            "warning",
            f"the Sentinels name different masters ({said})",
            "look again in a few seconds; if it stays, see that they reach each other",
        )


def _judge_quorum(well: Sequence[Sentinel]) -> Iterator[Finding]:
    for each in well:
        if each.no_quorum:
            yield Finding(
                "quorum",
                "UNSAFE",
                f"{each.address} could not fail over: {each.no_quorum}",
                "start the missing Sentinels, or forget those of old with SENTINEL RESET",
            )
            return
    if not well:
        return
    known = max(each.known for each in well)
    quorum, majority = min(each.quorum for each in well), known // 2 + 1
    found = f"quorum {quorum} of {known} Sentinels"
    if known < _FEW_SENTINELS:
        yield Finding(
            "quorum", "UNSAFE", found, "run three: with fewer the death of one stops them"
        )
    elif quorum < majority:
        advice = f"on each Sentinel: SENTINEL SET <service> quorum {majority}"
        yield Finding("quorum", "warning", f"{found} is no majority", advice)
    else:
        yield Finding("quorum", "ok", found)


def _judge_timing(sentinels: Sequence[Sentinel], lease: LeaseSettings) -> Iterator[Finding]:
    well = [each for each in sentinels if not each.fault]
    if not well:
        return
    down_after = max(each.down_after for each in well)
    lasts, needed = lease.ttl - lease.margin, down_after + FAILOVER_REST
    found = f"down-after {down_after:g} s, and the lease lasts {lasts:g} s without Redis"
    if needed > lasts:
        advice = (
            f"SENTINEL SET <service> down-after-milliseconds 1000, or lease.ttl {needed + lease.margin:g}:"
            " the master loses its lease in each failover"
        )
        yield Finding("failover", "warning", found, advice)
    else:
        yield Finding("failover", "ok", found)
    if (longest := max(each.failover_timeout for each in well)) > _LONG_FAILOVER:
        yield Finding(
            "failover-timeout",
            "warning",
            f"failover-timeout {longest:g} s: a failover that fails is tried again after twice that",
            "on each Sentinel: SENTINEL SET <service> failover-timeout 6000",
        )


def _judge_clocks(facts: Facts) -> Iterator[Finding]:
    clocks = {"Redis": facts.server.clock}
    clocks |= {peer.name: peer.clock for peer in facts.peers if peer.clock is not None}
    off = [f"{name} by {skew:+.1f} s" for name, skew in clocks.items() if abs(skew) > SKEW]
    if off:
        yield Finding(
            "clocks",
            "warning",
            f"clocks differ from this machine's: {', '.join(off)}",
            "keep them with NTP: schedules and ages go by them",
        )
    else:
        yield Finding("clocks", "ok", f"within {SKEW:g} s of this machine's: {', '.join(clocks)}")


def _judge_versions(peers: Sequence[Peer]) -> Iterator[Finding]:
    if not peers:
        return
    versions = sorted({peer.version for peer in peers})
    if len(versions) > 1:
        found = f"nodes of different releases: {', '.join(versions)}"
        yield Finding("nodes", "warning", found, "finish the upgrade")
    else:
        yield Finding("nodes", "ok", f"{len(peers)} nodes of release {versions[0]}")


def _judge_rights(denied: Sequence[str] | None) -> Iterator[Finding]:
    if denied:
        commands = " ".join(f"+{name.lower()}" for name in denied)
        yield Finding(
            "rights",
            "UNSAFE",
            f"our user may not run {', '.join(denied)}",
            f"ACL SETUSER <user> {commands}",
        )
    elif denied is not None:
        yield Finding("rights", "ok", "every command that is used is allowed")
