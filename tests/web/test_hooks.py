"""Webhooks: checked at the door, queued, answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from hachat.core.errors import HandlerError, QueueFull, StoreUnavailable, WireError
from hachat.core.messages import Webhook
from hachat.core.responses import Response
from hachat.core.signatures import make_headers, sign
from hachat.web.hooks import EVENT_HEADERS, kept_headers
from hachat.web.server import make_app

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.web.conftest import FakeNode


async def test_accepted_webhook_is_queued_whole(client: TestClientProtocol, node: FakeNode) -> None:
    """The handler gets the path, its variables, the query, the body and the headers it may see."""
    response = await client.put(
        "/hooks/deploy/shop/7?by=kim&by=lee",
        data='{"café": 1}'.encode(),
        headers={
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": "d-1",
            "Authorization": "Bearer s3cret",
        },
    )

    assert response.status_code == 202
    assert await response.get_json() == {"id": "ID1", "status": "queued"}
    [webhook] = node.queued
    assert webhook == Webhook(
        id="ID1",
        route="Deploy.ship",
        method="PUT",
        path="/hooks/deploy/shop/7",
        at=1_700_000_000.0,
        body='{"café": 1}',
        variables={"app": "shop", "build": "7"},
        query={"by": "kim"},
        headers=webhook.headers,
        event="d-1",
    )
    assert webhook.headers["x-github-event"] == "push"
    assert "s3cret" not in str(webhook)


@pytest.mark.parametrize("header", EVENT_HEADERS)
async def test_second_delivery_is_recognised(
    client: TestClientProtocol, node: FakeNode, header: str
) -> None:
    """A sender that repeats a delivery under the same id is thanked and nothing is queued twice."""
    answers = [await client.post("/hooks/deployed", headers={header: "d-1"}) for _ in range(2)]

    assert [(await answer.get_json())["status"] for answer in answers] == ["queued", "duplicate"]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert len(node.queued) == 1


async def test_first_event_header_counts(client: TestClientProtocol, node: FakeNode) -> None:
    """The order of the documented list decides, not that of the request."""
    headers = dict.fromkeys(reversed(EVENT_HEADERS), "later") | {EVENT_HEADERS[0]: "first"}

    await client.post("/hooks/deployed", headers=headers)

    assert node.queued[0].event == "first"


async def test_trace_id_is_no_delivery_id(client: TestClientProtocol, node: FakeNode) -> None:
    """Two events of one trace are two events."""
    for _ in range(2):
        await client.post("/hooks/deployed", headers={"X-Request-Id": "trace"})

    assert len(node.queued) == 2


async def test_overlong_event_id_is_refused(client: TestClientProtocol, node: FakeNode) -> None:
    """It would become part of a key in Redis; cutting it would make two events look like one."""
    response = await client.post("/hooks/deployed", headers={"Idempotency-Key": "x" * 201})

    assert response.status_code == 400
    assert "201 characters" in (await response.get_json())["error"]
    assert node.queued == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"app":}', "invalid character (byte 7)"),
        (b'{"app"', "truncated (byte 6)"),
        (b'{"app": 1} x', "trailing characters (byte 12)"),
        (b'"\xff"', "not UTF-8: invalid start byte (byte 1)"),
        (b"NaN", "invalid character (byte 0)"),
        (b"[" * 900, "nested too deeply"),
    ],
)
async def test_body_that_is_not_json_is_refused_with_the_place(
    node: FakeNode, body: bytes, reason: str
) -> None:
    """The sender learns what is wrong and where."""
    client = make_app(node, body_limit=1_000_000).test_client()

    response = await client.post(
        "/hooks/deployed", data=body * (100 if reason.startswith("nested") else 1)
    )

    assert response.status_code == 400
    assert reason in (await response.get_json())["error"]
    assert node.queued == []


async def test_body_that_the_handler_cannot_read_is_refused_with_its_reason(node: FakeNode) -> None:
    """What the handler's check says reaches the sender, with the handler's name."""

    def check(body: bytes) -> None:
        raise ValueError(f"expected `app` in {len(body)} bytes")

    node.hooks.clear()
    node.claim("Deploy.deployed", "POST", "/deployed", check)

    response = await make_app(node).test_client().post("/hooks/deployed", data=b"{}")

    assert response.status_code == 400
    assert await response.get_json() == {
        "error": "Deploy.deployed cannot read the body: expected `app` in 2 bytes"
    }
    assert node.queued == []


async def test_empty_body_is_left_to_the_check(node: FakeNode) -> None:
    """No body at all is a body of no bytes."""
    seen: list[bytes] = []
    node.hooks.clear()
    node.claim("Deploy.deployed", "POST", "/deployed", seen.append)

    response = await make_app(node).test_client().post("/hooks/deployed")

    assert response.status_code == 202
    assert seen == [b""]
    assert node.queued[0].body == ""


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (QueueFull("100000 webhooks wait"), 503, "100000 webhooks wait"),
        (StoreUnavailable("cannot reach 10.0.0.1:6379"), 503, "Redis is not available, try again"),
        (WireError("ID1: 300000 bytes"), 413, "ID1: 300000 bytes"),
    ],
)
async def test_webhook_that_cannot_be_queued_is_never_accepted(
    client: TestClientProtocol, node: FakeNode, error: Exception, status: int, words: str
) -> None:
    """202 is a promise; without it the sender knows that it must come again."""
    node.error = error

    response = await client.post("/hooks/deployed", data=b"{}")

    assert response.status_code == status
    assert words in (await response.get_json())["error"]
    assert ("Retry-After" in response.headers) == (status == 503)


async def test_body_over_the_limit_is_refused(client: TestClientProtocol, node: FakeNode) -> None:
    """The limit is named."""
    response = await client.post("/hooks/deployed", data=b" " * 1001)

    assert response.status_code == 413
    assert await response.get_json() == {"error": "the body is larger than 1000 bytes"}
    assert node.queued == []


async def test_body_that_never_ends_times_out(
    client: TestClientProtocol, node: FakeNode, autojump_clock: object
) -> None:
    """A sender that stalls in the middle of its body gets a 408, and nothing is queued."""
    async with client.request("/hooks/deployed", method="POST") as connection:
        await connection.send(b'{"app":')

    response = await connection.as_response()
    assert response.status_code == 408
    assert await response.get_json() == {"error": "the body did not arrive in time"}
    assert node.queued == []


async def test_head_of_a_get_route_queues_nothing(
    client: TestClientProtocol, node: FakeNode
) -> None:
    """Looking is not delivering."""
    response = await client.head("/hooks/poll")

    assert response.status_code == 200
    assert node.queued == []


async def test_get_route_queues(client: TestClientProtocol, node: FakeNode) -> None:
    """A webhook may come by any method its handler asks for."""
    response = await client.get("/hooks/poll?job=7")

    assert response.status_code == 202
    assert node.queued[0].query == {"job": "7"}


async def test_trailing_slash_is_no_other_path(client: TestClientProtocol, node: FakeNode) -> None:
    """A redirect would lose the body with most senders."""
    response = await client.post("/hooks/deployed/", data=b"{}")

    assert response.status_code == 202
    assert node.queued[0].route == "Deploy.deployed"


@pytest.mark.parametrize(
    ("one", "other"),
    [("/deployed", "/deployed"), ("/deploy/<app>", "/deploy/<name>"), ("/deployed", "/deployed/")],
)
def test_two_handlers_for_one_path_are_named(node: FakeNode, one: str, other: str) -> None:
    """Start-up fails and says who is at odds."""
    node.hooks.clear()
    node.claim("Deploy.deployed", "POST", one)
    node.claim("Other.shipped", "POST", other)

    with pytest.raises(HandlerError, match=r"Deploy\.deployed and Other\.shipped both claim POST"):
        make_app(node)


def test_paths_that_differ_in_method_or_converter_are_no_clash(node: FakeNode) -> None:
    """`/build/<int:n>` and `/build/<name>` can be told apart."""
    node.claim("A.a", "POST", "/build/<int:n>")
    node.claim("A.b", "POST", "/build/<name>")
    node.claim("A.c", "PUT", "/build/<name>")

    make_app(node)


@pytest.mark.parametrize(
    "path", ["/deploy/<app", "/deploy/<nosuch:app>", "/deploy/<app>/<app>", "deploy"]
)
def test_path_that_is_no_rule_names_its_handler(node: FakeNode, path: str) -> None:
    """A misspelt path is found at start-up, not at the first webhook."""
    node.claim("Deploy.deployed", "POST", path)

    with pytest.raises(HandlerError, match=r"Deploy\.deployed: POST .* is no route"):
        make_app(node)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Cookie",
        "X-Auth-Token",
        "X-Api-Key",
        "X-Gitlab-Token",
        "Proxy-Authorization",
    ],
)
def test_secrets_do_not_travel(name: str) -> None:
    """What authenticates the sender has no business in the queue."""
    assert kept_headers(Headers({name: "s3cret"})) == {}


@given(st.dictionaries(st.text(min_size=1), st.text("abc ")))
def test_only_known_kinds_of_headers_travel(headers: dict[str, str]) -> None:
    """Content type, user agent and `X-...`, in lower case, whatever comes."""
    for name in kept_headers(Headers(headers)):
        assert name == name.lower()
        assert name in {"content-type", "user-agent"} or name.startswith("x-")


async def test_a_request_must_be_signed_where_that_is_asked_for(
    client: TestClientProtocol, node: FakeNode
) -> None:
    """By the bytes of its body, and before anything else is looked at."""
    (route,) = [route for route in node.hooks if route.path == "/deployed"]
    route.secret = "key"
    signed = {"X-Hub-Signature-256": f"sha256={sign('key', b'[1]')}"}

    refused = await client.post("/hooks/deployed", data=b"[2]", headers=signed)
    unsigned = await client.post("/hooks/deployed", data=b"rubbish")
    taken = await client.post("/hooks/deployed", data=b"[1]", headers=signed)

    assert [answer.status_code for answer in (refused, unsigned, taken)] == [401, 401, 202]
    assert "is not the signature of this body" in (await refused.get_json())["error"]
    assert [webhook.body for webhook in node.queued] == ["[1]"]
    assert "sha256=" not in str(node.queued)


async def test_a_form_becomes_an_object(client: TestClientProtocol, node: FakeNode) -> None:
    """As slash commands are sent."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = await client.post(
        "/hooks/deployed", data=b"text=web+1.4&user=Ada%20L&empty=", headers=form
    )

    assert answer.status_code == 202
    (webhook,) = node.queued
    assert msgspec.json.decode(webhook.body) == {"text": "web 1.4", "user": "Ada L", "empty": ""}


async def test_json_that_was_sent_as_a_form_is_told_of(node: FakeNode) -> None:
    """As curl sends it unless it is told otherwise."""
    node.claim("Deploys.deployed", "POST", "/typed", check=_refuse)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    client = make_app(node).test_client()

    for headers, told in ((form, True), ({}, False)):
        answer = await client.post("/hooks/typed", data=b'{"version": "1.4"}', headers=headers)
        assert answer.status_code == 400
        assert ("read as a form" in (await answer.get_json())["error"]) is told


async def test_an_inline_webhook_is_answered_by_its_handler(node: FakeNode) -> None:
    """With its status, headers and body; nothing of it is queued."""
    node.claim("Slack.deploy", "POST", "/slash", inline=True)
    node.response = Response({"text": "On it."}, 201, headers={"X-Build": "7"})
    client = make_app(node).test_client()

    response = await client.post("/hooks/slash?a=1", form={"command": "/deploy"})

    assert (response.status_code, await response.get_json()) == (201, {"text": "On it."})
    assert response.headers["X-Build"] == "7"
    [webhook] = node.asked
    assert (webhook.body, webhook.query) == ('{"command":"/deploy"}', {"a": "1"})
    assert node.queued == []


async def test_head_of_an_inline_webhook_is_that_of_its_answer(node: FakeNode) -> None:
    """The handler is asked; the server leaves the body out (tests/whole/test_webhooks.py)."""
    node.claim("Builds.list", "GET", "/builds", inline=True)
    node.response = Response("four words of text", headers={"X-Build": "7"})

    response = await make_app(node).test_client().head("/hooks/builds")

    assert (response.status_code, response.headers["X-Build"]) == (200, "7")
    assert len(node.asked) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (QueueFull("64 senders wait for answers already"), 503),
        (StoreUnavailable("10.0.0.1 is away"), 503),
        (WireError("too large"), 413),
    ],
)
async def test_an_inline_webhook_that_comes_to_nothing_is_told(
    node: FakeNode, error: Exception, status: int
) -> None:
    """So that the sender may try again, where that is worth it."""
    node.claim("Slack.deploy", "POST", "/slash", inline=True)
    node.error = error

    response = await make_app(node).test_client().post("/hooks/slash")

    assert response.status_code == status
    assert "10.0.0.1" not in (await response.get_json())["error"]
    assert ("Retry-After" in response.headers) == (status == 503)


async def test_an_inline_webhook_is_checked_at_the_door(node: FakeNode) -> None:
    """Its signature, and its body."""
    node.claim("Slack.deploy", "POST", "/slash", inline=True)
    node.hooks[-1].secret = "s"
    client = make_app(node).test_client()

    assert (await client.post("/hooks/slash", data=b"{}")).status_code == 401
    headers = {"X-Hub-Signature-256": f"sha256={sign('s', b'no')}"}
    assert (await client.post("/hooks/slash", data=b"no", headers=headers)).status_code == 400
    assert node.asked == []


async def test_what_slack_has_signed_is_queued_once(node: FakeNode) -> None:
    """Whoever sends it once more within its five minutes may add what headers they like."""
    node.claim("Slack.asked", "POST", "/asked")
    node.hooks[-1].secret, node.hooks[-1].signature = "s", "slack"
    signed = make_headers("slack", "s", b"{}", node.now())
    client = make_app(node).test_client()

    statuses = []
    for forged in ({}, {}, *({header: "forged"} for header in EVENT_HEADERS[:-1])):
        answer = await client.post("/hooks/asked", data=b"{}", headers={**signed, **forged})
        statuses.append((await answer.get_json())["status"])

    assert statuses == ["queued", *["duplicate"] * len(EVENT_HEADERS)]


def _refuse(_: bytes) -> None:
    raise ValueError("it does not fit")
