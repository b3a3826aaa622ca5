"""What the state and the settings of replicas mean for what was acknowledged."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from hachat.core.facts import Finding, Replica, Server
from hachat.core.redis_settings import RedisSettings
from hachat.core.replicas import judge_replicas, judge_successors

SERVER = Server(
    product="Redis",
    version=(7, 2),
    replicas=(),
    min_replicas=1,
    max_lag=2,
    append_only=True,
    policy="noeviction",
    used=0,
    limit=100,
    clock=0.0,
)
WATCHED = RedisSettings(sentinels=("s:1",))
ALONE = RedisSettings()


def replica(number: int, *, online: bool = True, lag: int = 0, **itself: Any) -> Replica:
    """Return a replica that describes itself, with something changed."""
    return Replica(f"r:{number}", online, lag, replace(SERVER, **itself))


def judge(server: Server, redis: RedisSettings = WATCHED) -> dict[str, Finding]:
    """Return what is found about the master and its replicas, by the name of the check."""
    return {each.check: each for each in judge_replicas(server, redis)}


def judge_next(*replicas: Replica, redis: RedisSettings = WATCHED) -> dict[str, Finding]:
    """Return what is found about those that may be master next, by the name of the check."""
    server = replace(SERVER, replicas=replicas)
    return {each.check: each for each in judge_successors(server, redis)}


@pytest.mark.parametrize(
    ("replicas", "wanted", "verdict"),
    [
        ((), 1, "UNSAFE"),
        ((replica(1),), 1, "warning"),
        ((replica(1), replica(2)), 1, "ok"),
        ((replica(1), replica(2)), 2, "warning"),
        ((replica(1), replica(2)), 3, "UNSAFE"),
        ((replica(1), replica(2, lag=2)), 1, "ok"),
        ((replica(1), replica(2, lag=3)), 1, "warning"),
        ((replica(1, lag=3), replica(2, lag=3)), 1, "UNSAFE"),
        ((replica(1), replica(2, online=False)), 1, "warning"),
        ((replica(1, online=False),), 1, "UNSAFE"),
        ((), 0, "UNSAFE"),
        ((replica(1),), 0, "warning"),
    ],
)
def test_as_many_are_needed_as_confirm_and_one_to_spare(
    replicas: tuple[Replica, ...], wanted: int, verdict: str
) -> None:
    """Only those count that are connected and no more than two seconds behind."""
    redis = RedisSettings(sentinels=("s:1",), replicas=wanted)
    found = judge(replace(SERVER, replicas=replicas, min_replicas=min(wanted, 1)), redis)
    assert found["replicas"].verdict == verdict
    assert bool(found["replicas"].advice) == (verdict != "ok")


def test_what_the_server_wants_itself_counts_too() -> None:
    """If it acknowledges nothing without two replicas, two are needed, whatever the nodes ask for."""
    server = replace(SERVER, replicas=(replica(1),), min_replicas=2)
    assert judge(server)["replicas"].verdict == "UNSAFE"


def test_a_server_alone_is_judged_for_that_only() -> None:
    """Without Sentinels and replicas there is no old master to be afraid of."""
    assert {name: each.verdict for name, each in judge(replace(SERVER, min_replicas=0), ALONE).items()} == {
        "replicas": "warning"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("min_replicas", "max_lag", "verdict"),
    [
        (None, None, "unknown"),
        (0, 2, "UNSAFE"),
        (1, 0, "UNSAFE"),
        (1, 1, "ok"),
        (1, 2, "ok"),
        (1, 3, "warning"),
        (1, None, "ok"),
    ],
)
def test_a_master_that_was_replaced_must_stop(
    min_replicas: int | None, max_lag: int | None, verdict: str
) -> None:
    """It does so within the lag that is set, unless one of two settings is 0."""
    replicas = replica(1), replica(2)
    found = judge(replace(SERVER, replicas=replicas, min_replicas=min_replicas, max_lag=max_lag))
    assert found["old master"].verdict == verdict


def test_without_replicas_there_is_nobody_to_follow() -> None:
    """That is said by another check."""
    assert judge_next() == {}


def test_replicas_that_were_asked_and_are_set_up_well_are_named() -> None:
    """All of those, and nothing else is said."""
    assert judge_next(replica(1), replica(2)) == {
        "successors": Finding("successors", "ok", "r:1, r:2 would be as safe as master")
    }


@pytest.mark.parametrize(
    ("changed", "told", "mend"),
    [
        ({"min_replicas": 0}, "min-replicas-to-write 0", "CONFIG SET min-replicas-to-write 1"),
        ({"max_lag": 0}, "min-replicas-max-lag 0", "CONFIG SET min-replicas-max-lag 2"),
        ({"append_only": False}, "appendonly no", "CONFIG SET appendonly yes"),
        ({"policy": "allkeys-lru"}, "policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction"),
    ],
)
def test_a_replica_that_is_set_up_otherwise_is_named_with_what_mends_it(
    changed: dict[str, Any], told: str, mend: str
) -> None:
    """Only the one that is wrong is named, and both things of one that has two."""
    found = judge_next(replica(1), replica(2, **changed))["successors"]
    assert found.verdict == "UNSAFE"
    assert told in found.found
    assert "r:1" not in found.found
    assert mend in found.advice


def test_what_several_lack_is_mended_by_one_advice() -> None:
    """Each setting is advised once, however many replicas want it."""
    found = judge_next(replica(1, append_only=False), replica(2, append_only=False))["successors"]
    assert found.found.count("appendonly no") == 2
    assert found.advice.count("appendonly yes") == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"min_replicas": None},
        {"max_lag": None},
        {"append_only": None},
        {"policy": ""},
        {"policy": "allkeys-lru", "limit": 0},
    ],
)
def test_what_a_replica_does_not_tell_is_no_fault(changed: dict[str, Any]) -> None:
    """Nor is a policy that can never come into force."""
    assert judge_next(replica(1, **changed))["successors"].verdict == "ok"


def test_one_that_is_never_promoted_may_be_set_up_as_it_likes() -> None:
    """Sentinel passes over a replica of priority 0, such as one for backups."""
    backup = replica(2, priority=0, append_only=False, min_replicas=0)
    found = judge_next(replica(1), backup, redis=replace(WATCHED, replicas=2))
    assert {each.verdict for each in found.values()} == {"ok"}


def test_one_that_refuses_us_is_worse_than_one_that_is_silent() -> None:
    """What is known to be wrong is told before what is not known."""
    silent = Replica("r:1", online=True, lag=0, fault="no answer")
    refusing = Replica("r:2", online=True, lag=0, refusal="no login")
    assert {name: each.verdict for name, each in judge_next(silent).items()} == {
        "successors": "unknown"
    }
    assert {name: each.verdict for name, each in judge_next(silent, refusing).items()} == {
        "login": "UNSAFE"
    }


@pytest.mark.parametrize(
    ("priorities", "confirming", "unsafe"),
    [
        ((100, 100), 1, False),
        ((50, 100), 1, True),
        ((50, 100), 2, False),
        ((50, 100, 100), 2, True),
        ((0, 100), 1, True),
        ((0, 100), 2, False),
        ((0, 0), 1, True),
    ],
)
def test_whoever_has_a_write_must_not_be_passed_over(
    priorities: tuple[int, ...], confirming: int, *, unsafe: bool
) -> None:
    """Sentinel goes by priority first, so more must confirm a write than it would pass over."""
    redis = replace(WATCHED, replicas=confirming)
    replicas = [replica(n, priority=priority) for n, priority in enumerate(priorities)]
    found = judge_next(*replicas, redis=redis)
    assert ("promotion" in found) == unsafe
    if unsafe:
        assert found["promotion"].verdict == "UNSAFE"
        assert "promotion" not in judge_next(*replicas, redis=ALONE)


def test_a_replica_that_was_not_asked_may_yet_be_promoted() -> None:
    """That all which answered have priority 0 does not mean that nobody is left."""
    silent = Replica("r:2", online=True, lag=0, fault="no answer")
    assert "promotion" not in judge_next(replica(1, priority=0), silent)
