"""What balancers and monitors are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.web.conftest import FakeNode


async def test_health_says_that_the_process_turns(
    client: TestClientProtocol, node: FakeNode
) -> None:
    """A node that may not take traffic is still a healthy process."""
    node.reasons = ["Redis does not answer"]

    response = await client.get("/healthz")

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert await response.get_json() == {"status": "ok", "node": "alpha"}


async def test_ready_node_takes_traffic(client: TestClientProtocol) -> None:
    """Nothing against it: 200."""
    response = await client.get("/readyz")

    assert response.status_code == 200
    assert await response.get_json() == {"status": "ready", "node": "alpha"}


async def test_node_that_is_not_ready_says_why(client: TestClientProtocol, node: FakeNode) -> None:
    """Each reason is named."""
    node.reasons = ["leaving", "Redis does not answer"]

    response = await client.get("/readyz")

    assert response.status_code == 503
    assert (await response.get_json())["reasons"] == ["leaving", "Redis does not answer"]


async def test_master_answers_with_what_is_left_of_its_lease(
    client: TestClientProtocol, node: FakeNode
) -> None:
    """The figure is that of the moment of asking, rounded down."""
    node.left = 3.2109

    response = await client.get("/master")

    assert response.status_code == 200
    assert response.headers["X-Hachat-Node"] == "alpha"
    assert response.headers["Lease-Remaining-Ms"] == "3210"
    assert response.headers["Cache-Control"] == "no-store"


async def test_standby_is_not_master(client: TestClientProtocol, node: FakeNode) -> None:
    """No lease, no 200, and no figure that could be mistaken for one."""
    node.left = 0.0

    response = await client.get("/master")

    assert response.status_code == 503
    assert "Lease-Remaining-Ms" not in response.headers
    assert (await response.get_json())["status"] == "standby"


async def test_standby_is_a_ready_node_without_the_lease(
    client: TestClientProtocol, node: FakeNode
) -> None:
    """`/standby` is 200 exactly on nodes that could take over."""
    able = await client.get("/standby")
    node.left = 1.0
    leading = await client.get("/standby")
    node.left, node.reasons = 0.0, ["starting"]
    unable = await client.get("/standby")

    assert [able.status_code, leading.status_code, unable.status_code] == [200, 503, 503]
