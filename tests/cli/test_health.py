"""What makes a cluster healthy, degraded, without a master, or one with two."""

from __future__ import annotations

import msgspec
import pytest
from rich.console import Console

from hachat.cli.health import SILENT, Health, assess
from hachat.cli.table import render
from hachat.store.control import Control, Directive
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


def test_a_pause_is_said_loudly() -> None:
    """It degrades, with since when, by whom and why; without a master it says that nobody takes over."""
    control = Control(pause=Directive("ada", "kernel", 60.0, 3600.0))
    there = assess(msgspec.structs.replace(status(node("n1", "master")), control=control), {})
    gone = msgspec.structs.replace(status(node("n1", "standby"), master=None), control=control)
    vacant = assess(gone, {})

    assert there.state == "degraded"
    assert there.reasons[0].startswith(
        "elections are PAUSED since 1970-01-01 00:01:00 UTC by ada until 1970-01-01 01:00:00 UTC: kernel"
    )
    assert vacant.state == "no master"
    assert vacant.reasons[0].endswith("nobody takes over while elections are paused")


def test_who_may_not_follow_is_not_promised() -> None:
    """A node that is drained, held back or of priority 0 does not take over in a moment."""
    never = msgspec.structs.replace(node("n3", "standby"), priority=0)
    order = Directive("ada")
    control = Control(drains={"n1": order}, holds={"n2": order})
    nodes = (node("n1", "standby"), node("n2", "standby"), never)
    health = assess(msgspec.structs.replace(status(*nodes, master=None), control=control), {})

    assert health.reasons[0] == (
        "nobody is master, and nobody can be: n1 is drained, n2 is held back, n3 has lease.priority 0"
    )
    (line,) = [line for line in draw(health).splitlines() if line.startswith("n1 is")]
    assert line.rstrip() == "n1 is drained by ada"
    assert "standby, never master" in draw(health)


def draw(health: Health) -> str:
    """Return what is shown."""
    console = Console(width=160, record=True)
    with console.capture() as captured:
        console.print(render(health))
    return captured.get()


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


def test_what_is_full_degrades_and_what_nears_its_limit_does_not() -> None:
    """Who is turned away is not served well; what may come to that is told, and the cluster is healthy all the same."""
    seen = status(node("n1", "master"))
    nearly = assess(msgspec.structs.replace(seen, warnings=["nearly"]), {})
    full = assess(msgspec.structs.replace(seen, full=["a lane is full"]), {})

    assert (nearly.state, nearly.reasons) == ("healthy", [])
    assert msgspec.json.decode(nearly.to_json())["warnings"] == ["nearly"]
    assert (full.state, full.reasons) == ("degraded", ["a lane is full"])
