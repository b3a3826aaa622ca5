"""What webhooks are answered with, as HTTP has it."""

from __future__ import annotations

import msgspec
import pytest

from hachat.core.responses import Response, make_response


class Build(msgspec.Struct):
    """Something that becomes JSON."""

    number: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, (b"", 204, {})),
        ("grüß dich", ("grüß dich".encode(), 200, {"Content-Type": "text/plain; charset=utf-8"})),
        (b"\x00", (b"\x00", 200, {"Content-Type": "application/octet-stream"})),
        ({"ok": True}, (b'{"ok":true}', 200, {"Content-Type": "application/json"})),
        (Build(7), (b'{"number":7}', 200, {"Content-Type": "application/json"})),
        (Response(status=418), (b"", 418, {})),
        (Response("<b>", type="text/html"), (b"<b>", 200, {"Content-Type": "text/html"})),
        (
            Response([1], 201, headers={"Location": "/x"}),
            (b"[1]", 201, {"Location": "/x", "Content-Type": "application/json"}),
        ),
    ],
)
def test_what_a_method_returns_is_the_answer(value: object, expected: object) -> None:
    """Text is text, bytes are bytes, nothing is no content, and all else is JSON."""
    assert make_response(value).encode() == expected


@pytest.mark.parametrize(
    "response",
    [
        Response(object()),
        Response(status=999),
        Response(headers={"X-A": "1\r\nSet-Cookie: x"}),
        Response(type="text/html\n"),
    ],
)
def test_what_is_no_answer_is_refused(response: Response) -> None:
    """Nothing of it reaches the sender."""
    with pytest.raises((TypeError, ValueError)):
        response.encode()
