"""Would the Sentinels replace a Redis that dies, and in time?  Facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hachat.core.facts import Finding, Sentinel, Verdict
from hachat.core.settings import DOWN_AFTER, FAILOVER_REST, LeaseSettings

_FEW_SENTINELS = 3
_RECONNECT = 1.0
"""Seconds after which a Sentinel repeats an attempt to connect, whatever its settings."""

_SET_DOWN_AFTER = f"SENTINEL SET <service> down-after-milliseconds {DOWN_AFTER * 1000:.0f}"

_LONG_FAILOVER = 60.0

_NO_QUORUM = "NOQUORUM"
"""The first word of the answer to CKQUORUM that means no; any other error means that it was not answered."""


def judge_sentinels(sentinels: Sequence[Sentinel]) -> Iterator[Finding]:
    """Return whether enough of them answer, agree, and may decide; nothing where there are none."""
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
    lacking = [each for each in well if _NO_QUORUM in each.no_quorum]
    if lacking:
        yield Finding(
            "quorum",
            "UNSAFE",
            f"{lacking[0].address} could not fail over: {lacking[0].no_quorum}",
            "start the missing Sentinels, or forget those of old with SENTINEL RESET",
        )
    elif well:
        yield _judge_votes(well)


def _judge_votes(well: Sequence[Sentinel]) -> Finding:
    check = "quorum"
    known = max(each.known for each in well)
    quorum, majority = min(each.quorum for each in well), known // 2 + 1
    found = f"quorum {quorum} of {known} Sentinels"
    if known < _FEW_SENTINELS:
        return Finding(check, "UNSAFE", found, "run three: with fewer the death of one stops them")
    if quorum < majority:
        advice = f"on each Sentinel: SENTINEL SET <service> quorum {majority}"
        return Finding(check, "warning", f"{found} is no majority", advice)
    refused = [each.no_quorum for each in well if each.no_quorum]
    if refused:
        found = f"{found}; whether they reach each other is not known: {refused[0]}"
        return Finding(check, "unknown", found, "ask on a Sentinel: SENTINEL CKQUORUM <service>")
    return Finding(check, "ok", found)


def judge_timing(sentinels: Sequence[Sentinel], lease: LeaseSettings) -> Iterator[Finding]:
    """Return whether a failover is over before the master of the bot loses its lease."""
    well = [each for each in sentinels if not each.fault]
    if not well:
        return
    down_after = max(each.down_after for each in well)
    lasts, needed = lease.ttl - lease.margin, down_after + FAILOVER_REST
    found = f"down-after {down_after:g} s, and the lease lasts {lasts:g} s without Redis"
    if needed > lasts:
        advice = f"{_SET_DOWN_AFTER}, or lease.ttl {needed + lease.margin:g}: the master loses its lease in each failover"
        yield Finding("failover", "warning", found, advice)
    elif down_after <= _RECONNECT:
        advice = (
            f"{_SET_DOWN_AFTER}: a Sentinel whose first connection to the new master fails tries again after"
            f" {_RECONNECT:g} s, and takes it for dead by then"
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
