"""Hypercorn in our own nursery, and the application it serves.

Whoever can open a connection may hold one, so each wait has an end: a request's turn, its body, a
peer that reads nothing, and the time that leaving takes.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import hypercorn.trio
import msgspec
import trio
from hypercorn.config import Config
from quart_trio import QuartTrio

from hachat.web.api import make_api
from hachat.web.health import add_health
from hachat.web.hooks import add_hooks
from hachat.web.responses import answer_errors

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

    from hachat.web.node import HookNode, Node

SLOTS = 32
"""Webhooks and API calls in hand at once: each holds a body, and delays what else the loop does."""

PATIENCE = 1.0
"""Seconds a request waits for a slot before it is told to come back."""

BODY_TIMEOUT = 10.0
"""Seconds a request's body may take to arrive."""

GRACE = 3.0
"""Seconds that requests in hand may take to finish when the server leaves."""

PEER_TIMEOUT = 5.0
"""Seconds that a peer may leave what we sent unread before its connection is cut."""

_KEEP_ALIVE = 75.0
"""Seconds an idle connection is kept.

Longer than proxies keep theirs, or they would send a request into a connection that is closing.
"""

_BACKLOG = 1024
"""Connections the kernel holds while the loop is busy; its own limit may be lower."""

_BOUNDED = ("/hooks/", "/api/")
"""What needs a slot; health does not, or a flood of webhooks would look like an ill node."""


class App(QuartTrio):
    """The application, with a bound on how many requests it works on at once."""

    def __init__(self, *, slots: int, patience: float) -> None:
        super().__init__(__name__, static_folder=None)
        self._slots = trio.Semaphore(slots)
        self._patience = patience

    async def asgi_app(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Serve one request, or refuse it when no slot comes free in time."""

        async def send_whole(event: ASGISendEvent) -> None:
            # Hypercorn announces the disconnect from within the last send, and Quart cancels the
            # sender when it hears of it.  Cut short there, Hypercorn would neither close the
            # connection nor take another request from it.
            with trio.CancelScope(shield=True):
                await send(event)

        if scope["type"] == "http" and scope["path"].startswith(_BOUNDED):
            await self._take_turn(scope, receive, send_whole)
        else:
            await super().asgi_app(scope, receive, send_whole)

    async def _take_turn(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        # Nothing of a waiting request's body is read, so waiting costs a socket and no memory.
        with trio.move_on_after(self._patience) as waiting:
            await self._slots.acquire()
        if waiting.cancelled_caught:
            await _refuse(send)
            return
        try:
            await super().asgi_app(scope, receive, send)
        finally:
            self._slots.release()


def make_app(
    node: Node,
    *,
    body_limit: int = 1_048_576,
    token: str = "",
    body_timeout: float = BODY_TIMEOUT,
    slots: int = SLOTS,
    patience: float = PATIENCE,
) -> App:
    """Return the application that speaks for `node`; a body has at most `body_limit` bytes, `token` opens the API.

    Raises:
        HandlerError: two handlers claim the same webhook, or one is declared wrongly.
    """
    app = make_intake(
        node, body_limit=body_limit, body_timeout=body_timeout, slots=slots, patience=patience
    )
    add_health(app, node)
    app.register_blueprint(make_api(node, token))
    return app


def make_intake(
    node: HookNode,
    *,
    body_limit: int = 1_048_576,
    body_timeout: float = BODY_TIMEOUT,
    slots: int = SLOTS,
    patience: float = PATIENCE,
) -> App:
    """Return an application that takes the webhooks of `node`, and nothing else; the rest is as with `make_app`."""
    app = App(slots=slots, patience=patience)
    app.config.update(MAX_CONTENT_LENGTH=body_limit, BODY_TIMEOUT=body_timeout)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # it would redirect, and few senders of webhooks follow
    answer_errors(app, node.new_id)
    add_hooks(app, node)
    return app


async def serve(
    app: QuartTrio,
    host: str,
    port: int,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` until cancelled, then let the requests in hand finish for up to `GRACE` seconds.

    The URL is handed to `task_status`; port 0 takes any free one.

    Raises:
        OSError: the address cannot be bound.
    """
    listener = _listen(host, port)
    url = _url(listener)
    config = _configure(listener)
    leaving = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_announce_cancel, leaving)
        task_status.started(url)  # the kernel takes connections already; they wait to be accepted
        with trio.CancelScope(shield=True):
            await hypercorn.trio.serve(app, config, shutdown_trigger=leaving.wait)


async def _announce_cancel(leaving: trio.Event) -> None:
    try:
        await trio.sleep_forever()
    finally:
        leaving.set()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = family is socket.AF_INET6 and socket.has_dualstack_ipv6()
    try:
        listener = socket.create_server(
            (host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=dual
        )
    except OSError as error:
        what = f"cannot listen on {host}:{port}, which web.host and web.port name: {error.strerror or error}"
        raise OSError(error.errno, what) from error
    # Accepted sockets inherit it.  Hypercorn shields its writes, so without it a peer that reads
    # nothing could hold us for ever.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(PEER_TIMEOUT * 1000))
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _configure(listener: socket.socket) -> Config:
    log = logging.getLogger("hypercorn.error")
    log.setLevel(logging.WARNING)  # below, it tells people to press CTRL + C
    config = Config()
    config.backlog = _BACKLOG
    config.bind = f"fd://{listener.detach()}"
    config.errorlog = log
    config.graceful_timeout = GRACE
    config.include_server_header = False
    config.keep_alive_timeout = _KEEP_ALIVE
    config.shutdown_timeout = GRACE
    return config


async def _refuse(send: ASGISendCallable) -> None:
    body = msgspec.json.encode({"error": "too many requests at once, try again"})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
    ]
    await send(
        {"type": "http.response.start", "status": 503, "headers": headers, "trailers": False}
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
