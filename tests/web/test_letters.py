"""Dead letters over HTTP: listed, shown, retried and dropped, by those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hachat.core.errors import QueueFull, StoreUnavailable
from hachat.core.wire import encode
from hachat.store.letter import Letter, Query
from tests.store.letters import message, reply

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.web.conftest import FakeNode

BEARER = {"Authorization": "Bearer s3cret"}
DEAD = "/api/v1/dead"


@pytest.fixture(autouse=True)
def letters(node: FakeNode) -> dict[str, Letter]:
    """A message, a reply and something nobody can read."""
    kept = node.letters.kept
    for number, (kind, data) in enumerate(
        [
            ("message", b"m1|" + encode(message(1))),
            ("reply", b"m2/ping/1|" + encode(reply(2))),
            ("message", b"m3|\xff\x1b"),
        ],
        1,
    ):
        kept[f"{number}-0"] = Letter(f"{number}-0", float(number), kind, "t/ops", "why", data)
    return kept


async def test_letters_are_listed_whole(client: TestClientProtocol) -> None:
    """Each comes with its envelope as JSON, or with what is wrong with it."""
    response = await client.get(DEAD)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    listed = await response.get_json()
    assert listed["next"] == ""
    first, second, third = listed["letters"]
    assert first["envelope"]["text"] == "text 1"
    assert second == {
        "id": "2-0",
        "at": 2.0,
        "kind": "reply",
        "origin": "t/ops",
        "reason": "why",
        "about": "m2/ping/1",
        "envelope": {"id": "m2/ping/1", "room": "t/ops", "text": "reply 2"},
    }
    assert third["fault"].startswith("not an envelope")
    assert third["data"] == "m3|\\xff\x1b"


async def test_the_query_chooses(client: TestClientProtocol, node: FakeNode) -> None:
    """Every filter of the command line is one of the query, and the answer says where to go on."""
    response = await client.get(
        f"{DEAD}?kind=message&room=t/*&why=w&since=60&order=oldest&limit=1&after=9-0"
    )

    assert (await response.get_json())["next"] == "1-0"
    query = Query(kind="message", room="t/*", why="w", since=60.0, oldest_first=True)
    assert node.letters.asked == [(query, 1, "9-0")]


@pytest.mark.parametrize(
    "query",
    [
        "kind=letter",
        "limit=0",
        "limit=101",
        "limit=x",
        "since=-1",
        "since=nan",
        "since=inf",
        "order=random",
        "rooom=x",
    ],
)
async def test_a_query_that_is_none_is_refused(query: str, client: TestClientProtocol) -> None:
    """What is misspelt is told, and not left out."""
    response = await client.get(f"{DEAD}?{query}")

    assert response.status_code == 400
    assert "the query is not one" in (await response.get_json())["error"]


async def test_one_letter_is_shown(client: TestClientProtocol) -> None:
    """By its id; one that is not there is a 404, what is no id a 400."""
    assert (await (await client.get(f"{DEAD}/1-0")).get_json())["about"] == "m1"
    assert (await client.get(f"{DEAD}/9-0")).status_code == 404
    assert (await client.get(f"{DEAD}/rubbish")).status_code == 400


async def test_a_letter_is_retried_and_dropped_once(
    locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """A repeated request finds it gone, which is no error, and whoever asked is known."""
    answers = []
    for method, path in [("post", f"{DEAD}/1-0/retry"), ("delete", f"{DEAD}/2-0")] * 2:
        response = await getattr(locked_client, method)(path, headers=BEARER)
        assert response.status_code == 200
        answers.append(await response.get_json())

    assert [answer["status"] for answer in answers] == ["done", "done", "gone", "gone"]
    assert answers[0]["id"] == "1-0"
    assert {by for _, _, by in node.letters.deeds} == {"api from <local>"}


async def test_what_cannot_be_retried_says_why(
    locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """Rubbish is a conflict, a full queue and an absent Redis are temporary, what is no id is a mistake."""

    async def retry(entry: str) -> tuple[int, str]:
        response = await locked_client.post(f"{DEAD}/{entry}/retry", headers=BEARER)
        return response.status_code, (await response.get_json())["error"]

    status, words = await retry("3-0")
    assert status == 409
    assert words.startswith("it cannot be read: not an envelope")
    assert (await retry("rubbish"))[0] == 400
    node.letters.error = QueueFull("1000 messages are waiting in t/ops")
    assert await retry("1-0") == (503, "the queue is full: 1000 messages are waiting in t/ops")
    node.letters.error = StoreUnavailable("10.0.0.1 is away")
    assert await retry("1-0") == (503, "Redis is not available, try again")
