"""Pausing and draining over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hachat.core.errors import UsageError

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.web.conftest import FakeNode

BEARER = {"Authorization": "Bearer s3cret"}


@pytest.mark.parametrize("path", ["pause", "resume", "drain/n2", "undrain/n2"])
async def test_orders_need_the_token(
    path: str, client: TestClientProtocol, locked_client: TestClientProtocol
) -> None:
    """As everything that changes something; a node without one refuses all."""
    assert (await client.post(f"/api/v1/{path}")).status_code == 403
    assert (await locked_client.post(f"/api/v1/{path}")).status_code == 401


async def test_a_pause_is_ordered_and_ended(
    locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """What is asked for, and by whom, reaches the cluster; the second end of it says that there was none."""
    body = {"for": 60, "reason": "kernel"}
    paused = await locked_client.post("/api/v1/pause", json=body, headers=BEARER)
    given = node.orders.given["pause"]
    ends = [await locked_client.post("/api/v1/resume", headers=BEARER) for _ in range(2)]

    assert (paused.status_code, (await paused.get_json())["paused"]["reason"]) == (200, "kernel")
    assert (given.seconds, given.by.startswith("api from ")) == (60.0, True)
    assert [(await end.get_json())["resumed"] for end in ends] == [True, False]


async def test_a_node_is_drained_and_undrained(
    locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """The body may be left out; what cannot be is said in a sentence."""
    drained = await locked_client.post("/api/v1/drain/n2", headers=BEARER)
    forced = node.orders.given["n2"].force
    undrained = await locked_client.post("/api/v1/undrain/n2", headers=BEARER)
    node.orders.error = UsageError("no node is known as 'n9'")
    refused = await locked_client.post("/api/v1/drain/n9", json={"force": True}, headers=BEARER)

    assert (drained.status_code, forced) == (200, False)
    assert await undrained.get_json() == {"node": "n2", "undrained": True}
    assert refused.status_code == 400
    assert await refused.get_json() == {"error": "no node is known as 'n9'"}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"for": 0}', b'{"until": 5}', b"\xff"])
async def test_a_body_that_is_none_is_refused(
    body: bytes, locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """Nothing is ordered by mistake."""
    refused = await locked_client.post("/api/v1/pause", data=body, headers=BEARER)

    assert refused.status_code == 400
    assert not node.orders.given


async def test_readiness_says_what_is_ordered(client: TestClientProtocol, node: FakeNode) -> None:
    """It is a note and no failure: the node may take traffic."""
    node.noted = ["elections are paused"]
    response = await client.get("/readyz")

    assert response.status_code == 200
    assert (await response.get_json())["notes"] == ["elections are paused"]
