"""Do replicas have what was acknowledged, and is one of them as safe as its master?  Facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hachat.core.facts import Finding, Replica, Server
from hachat.core.redis_settings import RedisSettings

_LAG = 2


def judge_replicas(server: Server, redis: RedisSettings) -> Iterator[Finding]:
    """Return whether enough replicas have what the master acknowledges, and whether it stops without them."""
    fit = [each for each in server.replicas if each.online and each.lag <= _LAG]
    found = f"{len(fit)} of {len(server.replicas)} replicas are connected and in step"
    needed = max(redis.replicas, server.min_replicas or 0)
    if not server.replicas and not redis.sentinels and not needed:
        yield Finding(
            "replicas",
            "warning",
            "a single server: while it is away nobody is master, and what is not on its disk is lost with it",
            "run replicas and three Sentinels, see docs/operating.md",
        )
        return
    if len(fit) < max(1, needed):
        advice = "start or repair a replica: without it nothing is acknowledged, or nothing survives its master"
        yield Finding("replicas", "UNSAFE", found, advice)
    elif len(fit) < len(server.replicas):
        yield Finding("replicas", "warning", found, "repair those that are not")
    elif len(fit) == max(1, needed):
        advice = "run one more: while one is away, nothing is acknowledged"
        yield Finding("replicas", "warning", f"{found}, with none to spare", advice)
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
    if server.max_lag == 0:
        return Finding(
            check,
            "UNSAFE",
            f"min-replicas-max-lag is 0, with which min-replicas-to-write {server.min_replicas} is not in force",
            "on every server: CONFIG SET min-replicas-max-lag 2, CONFIG REWRITE",
        )
    found = f"min-replicas-to-write {server.min_replicas}, min-replicas-max-lag {server.max_lag}"
    if server.max_lag is not None and server.max_lag > _LAG:
        advice = "on every server: CONFIG SET min-replicas-max-lag 2, CONFIG REWRITE; for so many seconds a cut off master goes on"
        return Finding(check, "warning", found, advice)
    return Finding(check, "ok", found)


def judge_successors(server: Server, redis: RedisSettings) -> Iterator[Finding]:
    """Return whether the replicas, which do not get their settings and users from the master, are set up as it should be."""
    eligible = [each for each in server.replicas if each.itself is None or each.itself.priority]
    unsafe = [*_judge_settings(eligible), *_judge_refusals(eligible)]
    silent = [f"{each.address}: {each.fault}" for each in eligible if each.fault]
    asked = [each.address for each in eligible if each.itself]
    if unsafe:
        yield from unsafe
    elif silent:
        found = f"replicas could not be asked for their settings ({'; '.join(silent)})"
        yield Finding("successors", "unknown", found, "see that they are those of the master")
    elif asked:
        yield Finding("successors", "ok", f"{', '.join(asked)} would be as safe as master")
    if redis.sentinels:
        yield from _judge_promotion(server.replicas, max(1, redis.replicas))


def _judge_promotion(replicas: Sequence[Replica], confirming: int) -> Iterator[Finding]:
    """Judge whether what `confirming` replicas have is on one that Sentinel prefers; it asks for priorities first."""
    priorities = {each.address: each.itself.priority for each in replicas if each.itself}
    eligible = [priority for priority in priorities.values() if priority]
    if priorities and not eligible and len(priorities) == len(replicas):
        found = "replica-priority is 0 on every replica: if the master dies, none is promoted"
        advice = "on one replica at least: CONFIG SET replica-priority 100, CONFIG REWRITE"
        yield Finding("promotion", "UNSAFE", found, advice)
    elif eligible:
        passed_over = [each for each in priorities.values() if each != min(eligible)]
        if len(passed_over) >= confirming:
            told = ", ".join(f"{address} {priority}" for address, priority in priorities.items())
            found = f"replica-priority differs ({told}): a failover may pass over the only replica that has a write"
            more = len(passed_over) + 1
            advice = (
                "on every server: CONFIG SET replica-priority 100, CONFIG REWRITE;"
                f" or redis.replicas = {more} on every node"
            )
            yield Finding("promotion", "UNSAFE", found, advice)


def _judge_settings(replicas: Sequence[Replica]) -> Iterator[Finding]:
    wrong = {each.address: _find_wrong(each.itself) for each in replicas if each.itself}
    told = [f"{address} has {', '.join(found)}" for address, found in wrong.items() if found]
    if told:
        mended = dict.fromkeys(mend for each in wrong.values() for mend in each.values())
        advice = ", ".join(f"CONFIG SET {mend}" for mend in mended)
        yield Finding(
            "successors",
            "UNSAFE",
            f"a replica would not be safe as master, which it is after a failover: {'; '.join(told)}",
            f"there, for settings are not replicated: {advice}, CONFIG REWRITE",
        )


def _judge_refusals(replicas: Sequence[Replica]) -> Iterator[Finding]:
    told = [f"{each.address} ({each.refusal})" for each in replicas if each.refusal]
    if told:
        yield Finding(
            "login",
            "UNSAFE",
            f"a replica refuses us, and so would it after a failover: {'; '.join(told)}",
            "there, for users are not replicated: ACL SETUSER, or requirepass, as on the master",
        )


def _find_wrong(replica: Server) -> dict[str, str]:
    """Return what is set wrongly, and to what it should be."""
    wrong: dict[str, str] = {}
    if replica.min_replicas is not None and replica.min_replicas < 1:
        wrong["min-replicas-to-write 0"] = "min-replicas-to-write 1"
    if replica.max_lag is not None and replica.max_lag < 1:
        wrong["min-replicas-max-lag 0"] = f"min-replicas-max-lag {_LAG}"
    if replica.append_only is False:
        wrong["appendonly no"] = "appendonly yes"
    if replica.limit and replica.policy not in {"", "noeviction"}:
        wrong[f"maxmemory-policy {replica.policy}"] = "maxmemory-policy noeviction"
    return wrong
