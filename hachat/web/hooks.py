"""Webhooks: `/hooks/...` answers 202 once the event is safely queued, and any node handles it; or with what a handler answers here.

The body is checked at the door, because afterwards the sender of what is queued is gone and nobody can be told.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl

import msgspec
from quart import abort, request
from quart_trio import QuartTrio
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from hachat.core.errors import HandlerError, Unsigned
from hachat.core.messages import Webhook
from hachat.web.node import HookNode, HookRoute
from hachat.web.responses import Answer, answer

_SLACK = "X-Slack-Signature"

EVENT_HEADERS = (
    "Idempotency-Key",
    "Webhook-Id",
    "X-GitHub-Delivery",
    "X-Atlassian-Webhook-Identifier",
    _SLACK,
)
"""Where senders put the id that a second delivery repeats; the first one present counts.

`X-Request-Id` is not among them: it names a trace, and two events of one trace are not one event.  Slack
signs the time of sending, too: a request with a signature that was seen is a replay.
"""

MAX_EVENT = 200
"""Characters of a delivery id; it becomes part of a key in Redis."""

_FORM = "application/x-www-form-urlencoded"

_KEPT = re.compile(r"content-type|user-agent|x-.+", re.IGNORECASE)
_SECRET = re.compile(
    r"auth|cookie|credential|key|password|secret|session|signature|token", re.IGNORECASE
)
_VARIABLE = re.compile(r"<(?:([^<>:]+):)?[^<>:]+>")


def add_hooks(app: QuartTrio, node: HookNode) -> None:
    """Add every webhook of `node`'s handlers to `app`.

    Raises:
        HandlerError: two handlers claim the same method and path, or a path is not a URL rule.
    """
    _refuse_clashes(node.hooks)
    for route in node.hooks:
        try:
            _add_hook(app, node, route)
        except (ValueError, LookupError, SyntaxError) as error:
            raise HandlerError(
                f"{route.name}: {route.method} {route.path!r} is no route: {error}"
            ) from error


def find_hook(app: QuartTrio, node: HookNode, method: str, path: str) -> HookRoute:
    """Return the webhook that a request is for.

    Raises:
        LookupError: there is none.
    """
    try:
        name, _ = app.url_map.bind("").match(path, method)
    except HTTPException as error:
        raise LookupError(f"no handler accepts {method} {path}") from error
    return next(route for route in node.hooks if _name(route) == name)


def _name(route: HookRoute) -> str:
    return f"hook {route.method} {route.path}"


def _add_hook(app: QuartTrio, node: HookNode, route: HookRoute) -> None:
    if not route.path.startswith("/"):
        raise ValueError("the path does not begin with a slash")
    app.add_url_rule(
        f"/hooks{route.path}",
        endpoint=_name(route),
        view_func=_receiver(node, route),
        methods=[route.method],
    )


def _refuse_clashes(routes: Sequence[HookRoute]) -> None:
    claimed: dict[tuple[str, str], HookRoute] = {}
    for route in routes:
        # A variable's name does not tell two paths apart, its converter does.
        shape = _VARIABLE.sub(r"<\1>", route.path).rstrip("/")
        first = claimed.setdefault((route.method, shape), route)
        if first is not route:
            raise HandlerError(
                f"{first.name} and {route.name} both claim {route.method} {route.path}"
            )


def _receiver(node: HookNode, route: HookRoute) -> Callable[..., Awaitable[Answer]]:
    async def receive(**variables: object) -> Answer:
        if request.method != route.method and not route.inline:
            return answer({})  # a HEAD of a GET route looks, and queues nothing
        body = await request.get_data(cache=True, as_text=False, parse_form_data=False)
        _authenticate(route, body, node.now())
        form = request.mimetype == _FORM
        if form:
            body = _read_form(body)
        text = _read_json(body)
        _check(route, body, form=form)
        webhook = Webhook(
            id=node.new_id(),
            route=route.name,
            method=route.method,
            path=request.path,
            at=node.now(),
            body=text,
            variables={name: str(value) for name, value in variables.items()},
            query=request.args.to_dict(),
            headers=kept_headers(request.headers),
            event=event_id(request.headers, route.signature),
        )
        if route.inline:
            return (await node.respond(webhook)).encode()
        status = await node.enqueue(webhook)
        return answer({"id": webhook.id, "status": status}, HTTPStatus.ACCEPTED)

    return receive


def kept_headers(headers: Headers) -> dict[str, str]:
    """Return what a handler may see: content type, user agent and `X-...`, but no secrets.

    Which header holds a secret only its name can tell.
    """
    return {
        name.lower(): value
        for name, value in headers.items()
        if _KEPT.fullmatch(name) and not _SECRET.search(name)
    }


def event_id(headers: Headers, signature: str | None = None) -> str:
    """Return the sender's own id of this delivery, or nothing.

    Of what Slack has signed the signature alone counts: any other header may have been added by whoever sends it once more.
    """
    for name in (_SLACK,) if signature == "slack" else EVENT_HEADERS:
        if event := headers.get(name, ""):
            if len(event) > MAX_EVENT:
                abort(400, f"{name} has {len(event)} characters, at most {MAX_EVENT} are taken")
            return event
    return ""


def _authenticate(route: HookRoute, body: bytes, now: float) -> None:
    try:
        route.authenticate({name.lower(): text for name, text in request.headers}, body, now)
    except Unsigned as error:
        abort(HTTPStatus.UNAUTHORIZED, str(error))


def _read_form(body: bytes) -> bytes:
    """Return a form as JSON: an object of its fields, of which the last of a name counts."""
    try:
        return msgspec.json.encode(dict(parse_qsl(body.decode(), keep_blank_values=True)))
    except ValueError as error:
        abort(400, f"the body is no form: {error}")


def _read_json(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        abort(400, f"the body is not UTF-8: {error.reason} (byte {error.start})")
    try:
        if text:
            msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        where = "" if "(byte" in reason else f" (byte {len(body)})"
        abort(400, f"the body is not JSON: {reason}{where}")
    except RecursionError:
        abort(400, "the body is not JSON that can be read: it is nested too deeply")
    return text


def _check(route: HookRoute, body: bytes, *, form: bool) -> None:
    try:
        route.check(body)
    except ValueError as error:
        # Who sends JSON with curl forgets this easily.
        why = f"; it was read as a form, because its Content-Type is {_FORM}" if form else ""
        abort(400, f"{route.name} cannot read the body: {error}{why}")
