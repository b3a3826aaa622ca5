"""Sends webhooks to the bot of a test, as a service would: to the same door that a node has, and signed, where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlencode

import msgspec

from hachat.bot.inline import Inline
from hachat.bot.robot import Robot
from hachat.bot.routes import HookRoute
from hachat.core.errors import Unsigned
from hachat.core.messages import Webhook
from hachat.core.signatures import make_headers
from hachat.store.inbound import Inbound
from hachat.testing.service import Said

if TYPE_CHECKING:
    from quart_trio import QuartTrio
    from werkzeug.datastructures import Headers


@dataclass(frozen=True)
class Fetched:
    """What a request was answered, and what the bot has said about it; the case of a header's name does not matter."""

    status: int
    body: bytes
    headers: Headers
    said: Sequence[Said] = ()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body as what its JSON stands for."""
        return msgspec.json.decode(self.body)

    def raise_refusal(self) -> None:
        """Raise what the request was refused for, if it was.

        Raises:
            ValueError: it cannot be taken.
            Unsigned: it is not signed as it should be.
        """
        if HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            refused = Unsigned if self.status == HTTPStatus.UNAUTHORIZED else ValueError
            raise refused(f"{self.status} {self.text}")


FORM = "application/x-www-form-urlencoded"
"""The content type of what a browser's form sends, and Slack."""


class Request(NamedTuple):
    """What is sent: to `path`, which may have a query; a body that is not bytes as JSON, or a form; signed, where that is asked for."""

    method: str
    path: str
    body: object = b""
    headers: Mapping[str, str] | None = None
    form: Mapping[str, str] | None = None
    signed: bool = True

    def encode(self) -> tuple[bytes, dict[str, str]]:
        """Return the body and its headers as they are sent."""
        headers = dict(self.headers or {})
        if self.form is not None:
            return urlencode(self.form).encode(), {"Content-Type": FORM} | headers
        body = self.body
        return body if isinstance(body, bytes) else msgspec.json.encode(body), headers


class Sender:
    """A service that sends webhooks to a node which knows the handlers of `robot`; what is not inline is put into `queue`."""

    def __init__(
        self, robot: Robot, queue: Inbound, new_id: Callable[[], str], now: Callable[[], float]
    ) -> None:
        self._routes = {route.name: route for route in robot.hooks}
        self._node = _Node(robot, queue, new_id, now)

    async def send(self, request: Request) -> Fetched:
        """Send a request, and return what it is answered.

        Raises:
            LookupError: no handler has such a path, or not for this method.
        """
        # Quart takes long to import, and few tests send webhooks.
        from hachat.web.hooks import find_hook  # noqa: PLC0415

        body, headers = request.encode()
        path = f"/hooks{request.path}"
        found = find_hook(self._app, self._node, request.method, path.partition("?")[0])
        route = self._routes[found.name]
        if request.signed and route.signature is not None:
            headers = make_headers(route.signature, route.secret, body, self._node.now()) | headers
        client = self._app.test_client()
        answer = await client.open(  # type: ignore[call-arg] # its type forgets that json has a default
            path, method=request.method, data=body, headers=headers
        )
        content = b"" if request.method == "HEAD" else await answer.get_data(as_text=False)
        return Fetched(answer.status_code, content, answer.headers)

    @cached_property
    def _app(self) -> QuartTrio:
        from hachat.web.server import make_intake  # noqa: PLC0415 - as above

        return make_intake(self._node)


class _Node:
    """The node that stands behind the door."""

    def __init__(
        self, robot: Robot, queue: Inbound, new_id: Callable[[], str], now: Callable[[], float]
    ) -> None:
        self._robot = robot
        self._queue = partial(queue.enqueue, lane="work")
        self.respond = Inline(robot.begin, self._queue).answer
        self.new_id = new_id
        self.now = now

    @property
    def hooks(self) -> Sequence[HookRoute]:
        """Every webhook that the handlers take."""
        return self._robot.hooks

    async def enqueue(self, webhook: Webhook) -> Literal["queued", "duplicate"]:
        """Queue what is not answered at once."""
        return "queued" if await self._queue(webhook) else "duplicate"
