"""Who may use the API: without a token everybody reads and nobody changes, with one its holders do both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.web.conftest import TOKEN

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.web.conftest import FakeNode

API = "/api/v1"
CHANGES = [("post", "/dead/1-0/retry"), ("delete", "/dead/1-0"), ("delete", "/jobs/reminders/tea")]
PRIVATE = [("get", "/dead"), ("get", "/dead/1-0"), ("head", "/dead"), ("get", "/audit")]
OPEN = [("get", "/status"), ("get", "/jobs"), ("get", "/history"), ("options", "/status")]


async def ask(client: TestClientProtocol, method: str, path: str, login: str = "") -> int:
    """Return the status of the answer."""
    headers = {"Authorization": login} if login else {}
    response = await getattr(client, method)(API + path, headers=headers)
    if response.status_code == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    return int(response.status_code)


def untouched(node: FakeNode) -> bool:
    """Whether nothing has been changed, and nothing private read."""
    return not node.letters.deeds and not node.letters.asked and bool(node.jobs)


@pytest.mark.parametrize("login", ["", f"Bearer {TOKEN}", "Bearer "])
@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_without_a_token_nothing_can_be_changed(
    login: str, method: str, path: str, client: TestClientProtocol, node: FakeNode
) -> None:
    """A node that was given no token refuses all changes, whatever is shown, and names the setting."""
    response = await getattr(client, method)(API + path, headers={"Authorization": login})

    assert response.status_code == 403
    assert "web.token" in (await response.get_json())["error"]
    assert untouched(node)


@pytest.mark.parametrize(("method", "path"), OPEN + PRIVATE)
async def test_without_a_token_everybody_reads(
    method: str, path: str, client: TestClientProtocol
) -> None:
    """Whoever reaches the port may look; a letter that is not there is not found."""
    assert await ask(client, method, path) in {200, 404}


@pytest.mark.parametrize(
    "login",
    [
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN.upper()}",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}2",
        f"Bearer {TOKEN[:-1]}",
        "Bearer é",
    ],
)
@pytest.mark.parametrize(("method", "path"), CHANGES + PRIVATE)
async def test_the_token_is_needed(
    login: str, method: str, path: str, locked_client: TestClientProtocol, node: FakeNode
) -> None:
    """Nobody without it changes anything, or reads what people wrote."""
    assert await ask(locked_client, method, path, login) == 401
    assert untouched(node)


@pytest.mark.parametrize("login", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
@pytest.mark.parametrize(("method", "path"), CHANGES + PRIVATE)
async def test_the_token_opens(
    login: str, method: str, path: str, locked_client: TestClientProtocol
) -> None:
    """Whoever shows it may, in any case of the scheme."""
    assert await ask(locked_client, method, path, login) in {200, 404}


@pytest.mark.parametrize(("method", "path"), OPEN)
async def test_the_status_stays_open(
    method: str, path: str, locked_client: TestClientProtocol
) -> None:
    """Nothing that people wrote is in it."""
    assert await ask(locked_client, method, path) == 200
