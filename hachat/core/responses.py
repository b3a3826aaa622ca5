"""What a webhook is answered with whose sender waits."""

from __future__ import annotations

from http import HTTPStatus

import msgspec


class Response(msgspec.Struct, frozen=True):
    """An answer to an HTTP request: text as it is, bytes as they are, anything else as JSON.

    `type` is its content type, told by the body where it is empty; without a body and with the status 200 it is 204, No Content.
    """

    body: object = None
    status: int = HTTPStatus.OK
    type: str = ""
    headers: dict[str, str] = {}

    def encode(self) -> tuple[bytes, int, dict[str, str]]:
        """Return body, status and headers as HTTP has them.

        Raises:
            TypeError, ValueError: the body cannot be written as JSON, or there is no such status, or a header has a line break.
        """
        data, kind = _write(self.body)
        status = HTTPStatus(self.status)
        if self.body is None and status is HTTPStatus.OK:
            status = HTTPStatus.NO_CONTENT
        headers = dict(self.headers)
        if kind := self.type or kind:
            headers["Content-Type"] = kind
        if any("\r" in text or "\n" in text for pair in headers.items() for text in pair):
            raise ValueError("a header has a line break")
        return data, int(status), headers


def make_response(value: object) -> Response:
    """Return what a method answers that returned `value`."""
    return value if isinstance(value, Response) else Response(value)


def _write(body: object) -> tuple[bytes, str]:
    if body is None:
        return b"", ""
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    return msgspec.json.encode(body), "application/json"
