"""Errors are JSON, whatever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.web.conftest import FakeNode


async def test_unexpected_error_is_logged_under_the_id_that_the_caller_gets(
    client: TestClientProtocol, node: FakeNode
) -> None:
    """The caller learns the id and nothing of the fault; the log has both."""
    node.error = ZeroDivisionError("a secret detail")

    with capture_logs() as logs:
        response = await client.post("/hooks/deployed", data=b"{}")

    text = await response.get_data(as_text=True)
    identifier = (await response.get_json())["id"]
    assert response.status_code == 500
    assert "secret" not in text
    assert [(entry["id"], entry["exc_info"]) for entry in logs] == [(identifier, node.error)]


async def test_errors_of_a_group_are_answered_too(
    client: TestClientProtocol, node: FakeNode
) -> None:
    """What a nursery makes of an error is no reason to drop the connection."""
    node.error = ExceptionGroup("from a nursery", [ZeroDivisionError()])

    with capture_logs():
        response = await client.post("/hooks/deployed", data=b"{}")

    assert response.status_code == 500
    assert "id" in await response.get_json()


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nowhere", 404, "there is nothing at /nowhere"),
        ("POST", "/hooks/nowhere", 404, "there is nothing at /hooks/nowhere"),
        ("POST", "/healthz", 405, "/healthz does not take POST; see Allow"),
        ("DELETE", "/hooks/deployed", 405, "/hooks/deployed does not take DELETE; see Allow"),
        ("GET", "/static/anything", 404, "there is nothing at /static/anything"),
    ],
)
async def test_wrong_address_or_method_is_said_in_json(
    client: TestClientProtocol, method: str, path: str, status: int, error: str
) -> None:
    """The framework's HTML pages never get out."""
    response = await getattr(client, method.lower())(path)

    assert response.status_code == status
    assert response.content_type == "application/json"
    assert await response.get_json() == {"error": error}


async def test_wrong_method_is_told_the_right_ones(client: TestClientProtocol) -> None:
    """RFC 9110 asks for `Allow` with each 405."""
    response = await client.get("/hooks/deployed")

    assert {method.strip() for method in response.headers["Allow"].split(",")} == {
        "POST",
        "OPTIONS",
    }
