"""`docs/http.md` shows what the application does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

PAGE = Path(__file__).parents[2] / "docs" / "http.md"
EXCHANGE = re.compile(r"```http\n(?P<request>.*?)\n```\n```http\n(?P<answer>.*?)\n```", re.DOTALL)


def split(block: str) -> tuple[str, dict[str, str], str]:
    """Return the first line, the headers and the body of a request or an answer."""
    head, _, body = block.partition("\n\n")
    first, *lines = head.splitlines()
    return first, dict(line.split(": ", 1) for line in lines), body


async def test_every_exchange_of_the_page_is_true(client: TestClientProtocol) -> None:
    """Sent in the page's order, each request gets the answer that the page shows."""
    exchanges = list(EXCHANGE.finditer(PAGE.read_text()))
    assert len(exchanges) >= 8

    for exchange in exchanges:
        line, headers, body = split(exchange["request"])
        method, path = line.split()
        response = await getattr(client, method.lower())(path, headers=headers, data=body.encode())
        status, expected, text = split(exchange["answer"])

        assert response.status_code == int(status), line
        assert await response.get_json() == json.loads(text), line
        assert {name: response.headers[name] for name in expected} == expected, line
