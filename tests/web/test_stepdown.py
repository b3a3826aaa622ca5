"""Moving the lease over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hachat.core.errors import StepDownCode, StepDownRefused, StoreUnavailable, UsageError
from hachat.core.stepdown import Order
from tests.web.conftest import TOKEN

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.web.conftest import FakeNode

PLACE = "/api/v1/step-down"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def order(client: TestClientProtocol, **body: Any) -> tuple[int, Any]:
    """Order a step-down, and return the status and what was said."""
    response = await client.post(PLACE, headers=BEARER, json=body)
    return response.status_code, await response.get_json()


async def test_the_lease_is_moved(locked_client: TestClientProtocol, node: FakeNode) -> None:
    """All that the command can say can be said here; the answer comes when it is done."""
    full = {
        "from": "alpha",
        "to": "beta",
        "reason": "kernel",
        "by": "ada",
        "wait": 5,
        "force": True,
    }
    assert await order(locked_client, **full, hold=60) == (200, {"master": "beta"})
    wanted = Order(to="beta", reason="kernel", by="ada", hold=60.0, force=True)
    assert node.moves == [(wanted, "alpha", 5.0)]


async def test_nothing_need_be_said(locked_client: TestClientProtocol, node: FakeNode) -> None:
    """Without a body any other node will do, and who asked is told by where it came from."""
    response = await locked_client.post(PLACE, headers=BEARER)
    assert response.status_code == 200
    ((asked, leaver, patience),) = node.moves
    assert (asked.to, leaver, patience) == ("", "", 10.0)
    assert asked.by.startswith("api from ")


async def test_a_time_is_accepted_and_taken_back(
    locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """What is to be done later is accepted, and recalled once."""
    assert (await order(locked_client, at="+10m"))[0] == 202
    assert node.moves[0][2] == "+10m"
    recalls = [await locked_client.delete(PLACE, headers=BEARER) for _ in range(2)]
    assert [recall.status_code for recall in recalls] == [200, 404]
    assert node.recalled_by[0].startswith("api from ")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("pending", 409),
        ("changed", 412),
        ("ineligible", 412),
        ("paused", 412),
        ("no master", 503),
        ("no successor", 503),
        ("not taken over", 503),
        ("unanswered", 503),
        ("failed", 503),
    ],
)
@pytest.mark.parametrize("at", ["", "+10m"])
async def test_a_refusal_says_why(
    code: StepDownCode, status: int, at: str, locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """For people in words, for programs by its code and its status."""
    node.error = StepDownRefused("for a reason", code)
    said = {"error": "for a reason", "code": code}
    assert await order(locked_client, at=at) == (status, said)


@pytest.mark.parametrize("body", [{"two": "b"}, {"wait": 0}, {"hold": -1}, {"to": 7}])
async def test_a_body_that_is_none_is_refused(
    body: dict[str, Any], locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """Nothing is done where something else may have been meant."""
    assert (await order(locked_client, **body))[0] == 400
    assert node.moves == []


async def test_a_time_that_is_none_is_refused(
    locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """The reason is told."""
    node.error = UsageError("'soon' is no time")
    assert await order(locked_client, at="soon") == (400, {"error": "'soon' is no time"})


async def test_without_redis_it_is_a_503(locked_client: TestClientProtocol, node: FakeNode) -> None:
    """Nobody is told where our Redis is."""
    node.error = StoreUnavailable("cannot reach 10.0.0.1:6379")
    assert (await order(locked_client))[0] == 503


async def test_who_has_no_token_moves_nothing(
    locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """Neither is the lease moved nor a time recalled."""
    node.scheduled = True
    answers = [await locked_client.post(PLACE, json={}), await locked_client.delete(PLACE)]
    assert [one.status_code for one in answers] == [401, 401]
    assert node.moves == []
    assert node.scheduled
