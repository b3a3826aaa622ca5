"""What makes a cluster healthy, degraded, without a master, or one with two."""

from __future__ import annotations

import msgspec
import pytest

from hachat.cli.health import SILENT, assess
from hachat.core.settings import QueueSettings
from hachat.store.status import NodeStatus, QueueStatus, Role, Status


def node(name: str, role: Role, **chat: str) -> NodeStatus:
    """Return a node as Redis knows it."""
    return NodeStatus(name, role, 1, f"http://127.0.0.1/{name}", "0", 1.0, chat)


def status(*nodes: NodeStatus, master: str | None = "n1") -> Status:
    """Return a cluster with these nodes."""
    empty = QueueStatus(0, None)
    return Status("c", 2.0, master, 7, 1.0, 4.0, nodes, {"chat": empty, "work": empty}, empty, 0)


def test_a_master_and_its_standbys_are_healthy() -> None:
    """Everybody says what Redis says, and chat is connected."""
    health = assess(
        status(node("n1", "master", irc="connected"), node("n2", "standby")),
        {"n1": "master", "n2": "standby"},
    )

    assert (health.state, health.reasons) == ("healthy", [])


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ((node("n1", "master"), node("n2", "dead")), "n2 is dead"),
        ((node("n1", "master", irc="waiting"),), "irc is not connected but waiting"),
    ],
)
def test_what_degrades_is_said(nodes: tuple[NodeStatus, ...], reason: str) -> None:
    """A dead node and a chat connection that does not stand are named."""
    health = assess(status(*nodes), {})

    assert health.state == "degraded"
    assert health.reasons[0].startswith(reason)


def test_a_node_that_does_not_answer_by_http_is_no_fault() -> None:
    """It may listen on loopback only."""
    assert assess(status(node("n1", "master")), {"n1": SILENT}).state == "healthy"


def test_without_a_master_it_says_who_may_follow() -> None:
    """Nobody leads, and the living nodes are named."""
    health = assess(status(node("n1", "standby"), node("n2", "dead"), master=None), {})

    assert health.state == "no master"
    assert health.reasons[0] == "nobody is master: n1 may take over in a moment"


def test_two_claims_are_the_worst() -> None:
    """A node that says it is master though Redis names another is named beside it."""
    health = assess(
        status(node("n1", "master"), node("n2", "standby")), {"n1": "master", "n2": "master"}
    )

    assert health.state == "two masters"
    assert health.reasons[0] == "n1 and n2 each claim to be master"


@pytest.mark.parametrize(("count", "warned"), [(79, 0), (80, 1), (100, 1), (101, 1)])
def test_many_dead_letters_are_a_warning(count: int, warned: int) -> None:
    """From 80 % of their limit on they are named; the cluster is healthy all the same."""
    seen = msgspec.structs.replace(status(node("n1", "master")), dead_letters=count)

    health = assess(seen, {}, QueueSettings(dead=100))

    assert health.state == "healthy"
    assert [f"{count} dead letters" in warning for warning in health.warnings] == [True] * warned
    assert b'"warnings"' in health.to_json()
