"""Is Redis set up so that the promises hold?  Facts in, findings out.

A stock Redis is no safe place for a lease: with `min-replicas-to-write 0` a master that was replaced goes on acknowledging
writes for ten seconds, also after a planned failover, and all of them are lost.  What each check is about, and how to set
Redis up, is in `docs/operating.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hachat.core.facts import Facts, Finding, Peer, Rights, Server, Verdict
from hachat.core.redis_settings import RedisSettings
from hachat.core.replicas import judge_replicas, judge_successors
from hachat.core.sentinels import judge_sentinels, judge_timing
from hachat.core.settings import LeaseSettings

OLDEST = (6, 2)
"""The first release of Redis with every command that is used."""

SKEW = 1.0
"""Seconds by which clocks may differ before it is said."""

_FULL, _NEARLY_FULL = 0.95, 0.8


def diagnose(facts: Facts, redis: RedisSettings, lease: LeaseSettings) -> list[Finding]:
    """Return what the facts mean for nodes with these settings."""
    server = facts.server
    return [
        _judge_version(server),
        *judge_replicas(server, redis),
        *judge_successors(server, redis),
        _judge_persistence(server),
        *_judge_memory(server),
        *judge_sentinels(facts.sentinels),
        *judge_timing(facts.sentinels, lease),
        *_judge_clocks(facts),
        *_judge_versions(facts.peers),
        *_judge_rights(facts.rights),
    ]


def find_unsafe(facts: Facts, redis: RedisSettings, lease: LeaseSettings) -> list[str]:
    """Return a sentence for each promise that does not hold."""
    return [str(each) for each in diagnose(facts, redis, lease) if each.verdict == "UNSAFE"]


def _judge_version(server: Server) -> Finding:
    found = f"{server.product} {'.'.join(map(str, server.version))}"
    if server.product == "Redis" and server.version < OLDEST:
        return Finding("version", "UNSAFE", found, "install 6.2 or newer, or Valkey")
    return Finding("version", "ok", found)


def _judge_persistence(server: Server) -> Finding:
    if server.append_only:
        if server.fsync == "no":
            found = "appendfsync no: what was acknowledged in the last half minute is lost with the machine"
            advice = "on every server: CONFIG SET appendfsync everysec, CONFIG REWRITE"
            return Finding("persistence", "warning", found, advice)
        fsync = f", appendfsync {server.fsync}" if server.fsync else ""
        return Finding("persistence", "ok", f"appendonly yes{fsync}")
    if server.append_only is None:
        advice = "see that appendonly is yes on every server"
        return Finding("persistence", "unknown", "Redis does not tell of appendonly", advice)
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
    elif not server.policy:
        advice = "see that it is noeviction on every server"
        yield Finding("eviction", "unknown", "Redis does not tell its maxmemory-policy", advice)
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


def _judge_clocks(facts: Facts) -> Iterator[Finding]:
    clocks = {"Redis": facts.server.clock}
    clocks |= {each.address: each.itself.clock for each in facts.server.replicas if each.itself}
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


def _judge_rights(rights: Rights | None) -> Iterator[Finding]:
    if rights is None:
        return
    if rights.missing:
        found = f"Redis does not know {_name(rights.missing, rights)}"
        advice = "take their rename-command out of redis.conf, or install 6.2 or newer"
        yield Finding("commands", "UNSAFE", found, advice)
    if rights.denied:
        rules = " ".join(name if name[0] in "~&" else f"+{name.lower()}" for name in rights.denied)
        found = f"our user has no right to {_name(rights.denied, rights)}"
        yield Finding("rights", "UNSAFE", found, f"on every server: ACL SETUSER <user> {rules}")
    for script, why in rights.failing.items():
        found = f"Redis does not run the script {script}: {why}"
        yield Finding("scripts", "UNSAFE", found, "install Redis 6.2 or newer, or Valkey")
    if not (rights.denied or rights.missing or rights.failing):
        yield Finding(
            "rights", "ok", "every command that is used is allowed, and every script runs"
        )


def _name(commands: Sequence[str], rights: Rights) -> str:
    """Return the commands, each with the scripts that run it."""
    scripts = {name: ", ".join(rights.scripts.get(name, ())) for name in commands}
    return ", ".join(f"{name} (in {users})" if users else name for name, users in scripts.items())
