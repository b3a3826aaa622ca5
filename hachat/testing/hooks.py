"""Sends webhooks to the bot of a test, as a service would: signed, where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from hachat.bot.inline import Inline
from hachat.bot.robot import Robot
from hachat.bot.routes import find_hook
from hachat.core.errors import Unsigned
from hachat.core.messages import Webhook
from hachat.core.responses import Response
from hachat.core.signatures import make_headers
from hachat.store.inbound import Inbound
from hachat.testing.service import Said


class Fetched(msgspec.Struct, frozen=True):
    """What a request was answered, and what the bot has said about it."""

    status: int
    body: bytes
    headers: dict[str, str]
    said: Sequence[Said]

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body as what its JSON stands for."""
        return msgspec.json.decode(self.body)


class Request(NamedTuple):
    """What is sent: to `path`, which may have a query; a body that is not bytes as JSON; signed, where that is asked for."""

    method: str
    path: str
    body: object
    headers: Mapping[str, str] | None
    signed: bool


class Sender:
    """A service that sends webhooks; what is not inline is put into `queue`."""

    def __init__(
        self, robot: Robot, queue: Inbound, new_id: Callable[[], str], now: Callable[[], float]
    ) -> None:
        self._robot = robot
        self._queue = partial(queue.enqueue, lane="work")
        self._inline = Inline(robot.begin, self._queue)
        self._new_id = new_id
        self._now = now

    async def send(self, request: Request) -> Response:
        """Send a request, and return what it is answered.

        Raises:
            LookupError: no handler has such a path.
            Unsigned, ValueError: it is refused at the door.
        """
        body = request.body
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        path, _, query = request.path.partition("?")
        route, variables = find_hook(self._robot.hooks, request.method, path)
        shown = dict(request.headers or {})
        if request.signed and route.signature is not None:
            shown |= make_headers(route.signature, route.secret, data, self._now())
        shown = {name.lower(): value for name, value in shown.items()}
        route.authenticate(shown, data, self._now())
        route.check(data)
        webhook = Webhook(
            *(
                self._new_id(),
                route.name,
                route.method,
                path,
                self._now(),
                data.decode(),
                variables,
            ),
            query=dict(parse_qsl(query)),
            headers=shown,
        )
        if route.inline:
            return await self._inline.answer(webhook)
        await self._queue(webhook)
        return Response({"id": webhook.id, "status": "queued"}, 202)

    async def try_send(self, request: Request) -> Response:
        """Do what `send` does, and return the answer also where it is a refusal; raises LookupError as that does."""
        try:
            return await self.send(request)
        except Unsigned as error:
            return Response({"error": str(error)}, 401)
        except ValueError as error:
            return Response({"error": str(error)}, 400)
