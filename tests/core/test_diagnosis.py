"""What facts about Redis mean for the promises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hachat.core.diagnosis import diagnose, find_unsafe
from hachat.core.facts import Facts, Finding, Peer, Replica, Rights, Sentinel, Server
from hachat.core.redis_settings import RedisSettings
from hachat.core.settings import LeaseSettings

OTHER = Server(
    product="Redis",
    version=(7, 0, 15),
    replicas=(),
    min_replicas=1,
    max_lag=2,
    append_only=True,
    policy="noeviction",
    used=10,
    limit=100,
    clock=0.01,
)
REPLICAS = (
    Replica("r:1", online=True, lag=0, itself=OTHER),
    Replica("r:2", online=True, lag=1, itself=OTHER),
)
SERVER = replace(OTHER, replicas=REPLICAS)
SENTINELS = tuple(
    Sentinel(f"s{n}:26379", "", "r:0", 3, quorum=2, known=3, down_after=1.2, failover_timeout=6.0)
    for n in range(3)
)
SAFE = Facts(SERVER, SENTINELS, (Peer("a", "1", 0.0), Peer("b", "1", -0.2)), Rights())
REDIS = RedisSettings(sentinels=tuple(each.address for each in SENTINELS))


def judge(facts: Facts, redis: RedisSettings = REDIS, **lease: Any) -> dict[str, Finding]:
    """Return what was found, by the name of the check."""
    return {each.check: each for each in diagnose(facts, redis, LeaseSettings(**lease))}


def serve(**changed: Any) -> Facts:
    """Return safe facts but for something about the server."""
    return replace(SAFE, server=replace(SERVER, **changed))


def set_up(**changed: Any) -> tuple[Replica, ...]:
    """Return two replicas, of which one is set up otherwise."""
    return REPLICAS[0], replace(REPLICAS[1], itself=replace(OTHER, **changed))


def tell(**said: str) -> tuple[Replica, ...]:
    """Return two replicas, of which one says nothing of itself but this."""
    return REPLICAS[0], replace(REPLICAS[1], itself=None, **said)


def watch(*sentinels: Sentinel) -> Facts:
    """Return safe facts but for the Sentinels."""
    return replace(SAFE, sentinels=sentinels)


def test_a_safe_cluster_is_told_to_be() -> None:
    """Every check says ok and nothing asks to be mended."""
    findings = judge(SAFE).values()
    assert {each.verdict for each in findings} == {"ok"}
    assert not any(each.advice for each in findings)
    assert find_unsafe(SAFE, REDIS, LeaseSettings()) == []


FEW = replace(SENTINELS[0], known=2)


@pytest.mark.parametrize(
    ("facts", "check", "verdict", "words"),
    [
        (serve(version=(6, 0, 9)), "version", "UNSAFE", "6.2"),
        (serve(product="Valkey", version=(0, 1)), "version", "ok", "Valkey"),
        (serve(replicas=()), "replicas", "UNSAFE", "0 of 0"),
        (serve(replicas=(replace(REPLICAS[0], lag=9),)), "replicas", "UNSAFE", "0 of 1"),
        (serve(replicas=(REPLICAS[0], Replica("r", online=False, lag=0))), "replicas", "warning", "1 of 2"),
        (serve(min_replicas=0), "old master", "UNSAFE", "min-replicas-to-write 1"),
        (serve(min_replicas=None), "old master", "unknown", "CONFIG GET is not allowed"),
        (serve(max_lag=10), "old master", "warning", "max-lag 2"),
        (serve(max_lag=0), "old master", "UNSAFE", "max-lag 2"),
        (serve(replicas=set_up(max_lag=0)), "successors", "UNSAFE", "CONFIG SET min-replicas-max-lag 2"),
        (serve(replicas=set_up(max_lag=None, min_replicas=None)), "successors", "ok", "as safe"),
        (serve(append_only=False), "persistence", "UNSAFE", "appendonly yes"),
        (serve(policy="allkeys-lru"), "eviction", "UNSAFE", "noeviction"),
        (serve(policy="allkeys-lru", limit=0), "eviction", "warning", "noeviction"),
        (serve(used=85), "memory", "warning", "85%"),
        (serve(used=99), "memory", "UNSAFE", "99%"),
        (serve(clock=-3600.0), "clocks", "warning", "Redis by -3600.0 s"),
        (watch(*SENTINELS[:2], Sentinel("s2:1", "no answer")), "sentinels", "warning", "s2:1: no answer"),
        (watch(SENTINELS[0], *[Sentinel("s:1", "no")] * 2), "sentinels", "UNSAFE", "1 of 3"),
        (watch(*SENTINELS[:2], replace(SENTINELS[2], config_epoch=2)), "agreement", "warning", "different"),
        (watch(*[replace(each, quorum=1) for each in SENTINELS]), "quorum", "warning", "quorum 2"),
        (watch(FEW, FEW), "quorum", "UNSAFE", "run three"),
        (watch(*SENTINELS[:2], replace(SENTINELS[2], no_quorum="NOQUORUM 1")), "quorum", "UNSAFE", "NOQUORUM"),
        (watch(*[replace(each, address="h:1") for each in SENTINELS]), "hosts", "warning", "one host"),
        (watch(*[replace(each, down_after=1.0) for each in SENTINELS]), "failover", "warning", "down-after-milliseconds 1200"),
        (watch(*[replace(each, down_after=5.0) for each in SENTINELS]), "failover", "warning", "lease.ttl 8.5"),
        (watch(*[replace(each, failover_timeout=180.0) for each in SENTINELS]), "failover-timeout", "warning", "180"),
        (replace(SAFE, peers=(Peer("a", "1", 5.0),)), "clocks", "warning", "a by +5.0 s"),
        (replace(SAFE, peers=(Peer("a", "1"), Peer("b", "2"))), "nodes", "warning", "1, 2"),
        (watch(*SENTINELS[:2], replace(SENTINELS[2], no_quorum="NOPERM")), "quorum", "unknown", "CKQUORUM"),
        (watch(FEW, replace(FEW, no_quorum="NOPERM")), "quorum", "UNSAFE", "run three"),
        (serve(replicas=REPLICAS[:1]), "replicas", "warning", "none to spare"),
        (serve(append_only=None), "persistence", "unknown", "appendonly"),
        (serve(policy=""), "eviction", "unknown", "noeviction"),
        (serve(replicas=set_up(policy="", append_only=None)), "successors", "ok", "as safe"),
        (serve(replicas=set_up(priority=50)), "promotion", "UNSAFE", "r:1 100, r:2 50"),
        (serve(replicas=set_up(priority=0)), "promotion", "UNSAFE", "r:1 100, r:2 0"),
        (replace(SAFE, rights=Rights(["GETEX"])), "rights", "UNSAFE", "+getex"),
        (
            replace(SAFE, rights=Rights(["XINFO|GROUPS"], scripts={"XINFO|GROUPS": ["a", "b"]})),
            "rights",
            "UNSAFE",
            "XINFO|GROUPS (in a, b): on every server: ACL SETUSER <user> +xinfo|groups",
        ),
        (replace(SAFE, rights=Rights(failing={"reap": "too old"})), "scripts", "UNSAFE", "reap"),
        (replace(SAFE, rights=Rights(["&hachat:*"])), "rights", "UNSAFE", "<user> &hachat:*"),
        (replace(SAFE, rights=Rights(missing=["WAIT"])), "commands", "UNSAFE", "rename-command"),
        (serve(fsync="no"), "persistence", "warning", "appendfsync everysec"),
        (serve(replicas=set_up(min_replicas=0)), "successors", "UNSAFE", "CONFIG SET min-replicas-to-write 1, CONFIG REWRITE"),
        (serve(replicas=set_up(append_only=False)), "successors", "UNSAFE", "CONFIG SET appendonly yes"),
        (serve(replicas=set_up(policy="allkeys-lru")), "successors", "UNSAFE", "maxmemory-policy allkeys-lru"),
        (serve(replicas=tell(refusal="no login")), "login", "UNSAFE", "r:2 (no login)"),
        (serve(replicas=tell(fault="no answer")), "successors", "unknown", "r:2: no answer"),
        (serve(replicas=set_up(clock=9.0)), "clocks", "warning", "r:2 by +9.0 s"),
        (serve(replicas=[replace(each, itself=replace(OTHER, priority=0)) for each in REPLICAS]), "promotion", "UNSAFE", "100"),
    ],
)  # fmt: skip
def test_what_is_not_safe_is_told_with_what_to_do(
    facts: Facts, check: str, verdict: str, words: str
) -> None:
    """One thing is wrong: its check says so, and only what is UNSAFE makes the cluster that."""
    finding = judge(facts)[check]
    assert finding.verdict == verdict
    assert words in str(finding)
    unsafe = find_unsafe(facts, REDIS, LeaseSettings())
    assert bool(unsafe) == (verdict == "UNSAFE")
    assert (str(finding) in unsafe) == (verdict == "UNSAFE")


def test_a_single_server_is_no_fault_but_a_price() -> None:
    """Nothing about it is UNSAFE, and what it costs is said."""
    alone = replace(serve(replicas=(), min_replicas=0, append_only=False), sentinels=())
    single = RedisSettings()
    found = judge(alone, single)
    assert "nobody is master" in found["replicas"].found
    assert "lost when it restarts" in found["persistence"].found
    assert find_unsafe(alone, single, LeaseSettings()) == []


def test_where_nobody_has_looked_nothing_is_said() -> None:
    """Rights and nodes are looked at on demand only."""
    found = judge(replace(SAFE, rights=None, peers=()))
    assert {"rights", "nodes"}.isdisjoint(found)


def test_what_is_never_promoted_need_not_be_set_up_for_it() -> None:
    """A replica of priority 0, for backups say, is no successor, and what it is set to does no harm.

    Its word alone is not enough then, so more than one replica must confirm.
    """
    redis = RedisSettings(sentinels=REDIS.sentinels, replicas=2)
    found = judge(serve(replicas=set_up(priority=0, append_only=False, min_replicas=0)), redis)
    assert (found["successors"].verdict, "promotion" in found) == ("ok", False)


@pytest.mark.parametrize(("confirming", "checks"), [(1, {"promotion"}), (2, set[str]())])
def test_priorities_may_differ_if_those_preferred_have_every_write(
    confirming: int, checks: set[str]
) -> None:
    """With one of two replicas passed over, a write that both have is not lost."""
    redis = RedisSettings(sentinels=REDIS.sentinels, replicas=confirming)
    found = judge(serve(replicas=set_up(priority=50)), redis)
    assert {each.check for each in found.values() if each.verdict == "UNSAFE"} == checks


def test_a_single_server_that_wants_replicas_is_unsafe() -> None:
    """With min-replicas-to-write 1 and no replica it takes no writes at all."""
    alone = replace(serve(replicas=(), min_replicas=1), sentinels=())
    assert judge(alone, RedisSettings())["replicas"].verdict == "UNSAFE"


SECONDS = st.floats(0, 1e6)
SERVERS = st.builds(
    Server,
    product=st.sampled_from(["Redis", "Valkey"]),
    version=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    replicas=st.just(()),
    min_replicas=st.none() | st.integers(0, 3),
    max_lag=st.none() | st.integers(0, 20),
    append_only=st.none() | st.booleans(),
    policy=st.sampled_from(["", "noeviction", "volatile-ttl"]),
    used=st.integers(0, 200),
    limit=st.sampled_from([0, 100]),
    clock=st.floats(-1e6, 1e6),
    fsync=st.sampled_from(["", "no", "always"]),
    priority=st.integers(0, 100),
)
ANY_REPLICAS = st.lists(
    st.builds(
        Replica,
        address=st.sampled_from(["r:1", "r:2", "r:3"]),
        online=st.booleans(),
        lag=st.integers(-1, 20),
        itself=st.none() | SERVERS,
        fault=st.sampled_from(["", "no answer"]),
        refusal=st.sampled_from(["", "no login"]),
    ),
    max_size=3,
)
ANY_SENTINELS = st.lists(
    st.builds(
        Sentinel,
        address=st.sampled_from(["a:1", "b:1", "c:1"]),
        fault=st.sampled_from(["", "no answer"]),
        master=st.sampled_from(["r:1", "r:2"]),
        config_epoch=st.integers(0, 3),
        quorum=st.integers(0, 5),
        known=st.integers(1, 5),
        down_after=SECONDS,
        failover_timeout=SECONDS,
        no_quorum=st.sampled_from(["", "NOQUORUM", "NOPERM"]),
    ),
    max_size=5,
)


@given(SERVERS, ANY_REPLICAS, ANY_SENTINELS, st.sampled_from([REDIS, RedisSettings()]))
def test_whatever_the_facts_are_each_check_says_one_thing_and_what_to_do(
    server: Server, replicas: list[Replica], sentinels: list[Sentinel], redis: RedisSettings
) -> None:
    """No facts are an error; what is not ok has an advice; and no check contradicts itself."""
    facts = Facts(replace(server, replicas=replicas), sentinels)
    found = diagnose(facts, redis, LeaseSettings())
    checks = [each.check for each in found]
    assert len(checks) == len(set(checks))
    assert all(bool(each.advice) == (each.verdict != "ok") for each in found)
