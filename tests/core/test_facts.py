"""What is known of a Redis, and what a check says of it."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from hachat.core.facts import Facts, Finding, Peer, Replica, Rights, Sentinel, Server

SERVER = Server(
    product="Valkey",
    version=(9, 0, 1),
    replicas=(Replica("r:1", online=True, lag=0),),
    min_replicas=None,
    max_lag=None,
    append_only=None,
    policy="",
    used=0,
    limit=0,
    clock=0.0,
)


@pytest.mark.parametrize(
    ("advice", "sentence"),
    [("", "one is missing"), ("start it", "one is missing: start it")],
)
def test_a_finding_reads_as_a_sentence(advice: str, sentence: str) -> None:
    """What was found, and behind it what to do, where there is something to do."""
    assert str(Finding("replicas", "warning", "one is missing", advice)) == sentence


def test_a_finding_is_for_programs_too() -> None:
    """As JSON it has its four fields, also that which is empty."""
    told = msgspec.json.decode(msgspec.json.encode(Finding("memory", "ok", "10% is used")))
    assert told == {"check": "memory", "verdict": "ok", "found": "10% is used", "advice": ""}


def test_there_are_four_verdicts_and_no_fifth() -> None:
    """Whoever reads findings can rely on it."""
    told = {"check": "memory", "verdict": "fine", "found": ""}
    for verdict in ("ok", "warning", "UNSAFE", "unknown"):
        assert msgspec.convert({**told, "verdict": verdict}, Finding).verdict == verdict
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(told, Finding)


def test_that_nobody_has_looked_is_not_that_nothing_is_missing() -> None:
    """Rights, a clock and a replica that were not asked differ from those that were found well."""
    assert Facts(SERVER).rights is None
    assert Facts(SERVER) != Facts(SERVER, rights=Rights())
    assert Peer("a", "1") != Peer("a", "1", 0.0)
    (replica,) = SERVER.replicas
    assert (replica.itself, replica.fault, replica.refusal) == (None, "", "")


def test_a_sentinel_that_says_nothing_agrees_with_none() -> None:
    """Of one that did not answer only its address and why are known; it knows itself alone."""
    deaf = Sentinel("s:1", "no answer")
    assert (deaf.master, deaf.quorum, deaf.known, deaf.down_after) == ("", 0, 1, 0.0)


def test_facts_stay_as_they_were_found() -> None:
    """They are values: two that say the same are the same, and none can be changed."""
    facts = Facts(SERVER, (Sentinel("s:1"),), (Peer("a", "1"),), Rights(("GETEX",)))
    assert replace(facts) == facts
    assert replace(facts, peers=()) != facts
    with pytest.raises(AttributeError):
        facts.rights = None  # type: ignore[misc]  # that it cannot be is what is tried
