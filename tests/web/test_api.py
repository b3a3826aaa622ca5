"""What programs are told about the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachat.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.web.conftest import FakeNode


async def test_status_is_the_nodes_view_as_json(client: TestClientProtocol) -> None:
    """Whatever the node's status holds goes out as it is."""
    response = await client.get("/api/v1/status")

    assert response.status_code == 200
    assert await response.get_json() == {"master": "alpha"}


async def test_status_without_redis_is_a_503(client: TestClientProtocol, node: FakeNode) -> None:
    """Nobody is told where our Redis is, only that it is away and when to ask again."""
    node.error = StoreUnavailable("cannot reach 10.0.0.1:6379")

    response = await client.get("/api/v1/status")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert await response.get_json() == {"error": "Redis is not available, try again"}


async def test_jobs_are_listed(client: TestClientProtocol) -> None:
    """What is still to come goes out as the node tells it, and is not kept on the way."""
    response = await client.get("/api/v1/jobs")

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert await response.get_json() == {"jobs": ["reminders/tea"]}


async def test_the_masters_terms_are_told(client: TestClientProtocol, node: FakeNode) -> None:
    """They go out as the node tells them, are not kept on the way, and without Redis there is none."""
    response = await client.get("/api/v1/history")
    node.error = StoreUnavailable("cannot reach 10.0.0.1:6379")
    without = await client.get("/api/v1/history")

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert await response.get_json() == {"terms": ["alpha/a1/0.7"]}
    assert without.status_code == 503


async def test_who_did_what_is_told(client: TestClientProtocol, node: FakeNode) -> None:
    """It goes out as the node tells it, is not kept on the way, and without Redis there is none."""
    response = await client.get("/api/v1/audit")
    node.error = StoreUnavailable("cannot reach 10.0.0.1:6379")
    without = await client.get("/api/v1/audit")

    assert response.headers["Cache-Control"] == "no-store"
    assert await response.get_json() == [{"jobs": ["reminders/tea"]}]
    assert without.status_code == 503


async def test_a_job_is_cancelled_once(
    client: TestClientProtocol, locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """Who has the token may; its id may hold slashes; a job that does not wait is not found."""
    job, bearer = "/api/v1/jobs/reminders/tea", {"Authorization": "Bearer s3cret"}
    refused = await client.delete(job)
    first = await locked_client.delete(job, headers=bearer)
    second = await locked_client.delete(job, headers=bearer)

    assert refused.status_code == 403

    assert (first.status_code, await first.get_json()) == (200, {"cancelled": "reminders/tea"})
    assert second.status_code == 404
    assert await second.get_json() == {"error": "no job waits under the id reminders/tea"}
    assert node.jobs == []
