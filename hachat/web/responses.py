"""Every answer is JSON, an error too: `{"error": ...}`, never a traceback."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import structlog
from quart import current_app, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from hachat.core.errors import QueueFull, StoreError, UsageError, WireError
from hachat.core.phrases import write_plain

Answer = tuple[bytes, int, dict[str, str]]
"""Body, status and headers, as Quart takes them from a view."""

RETRY_SOON = 2
"""Seconds after which a sender may try again when Redis is away or the queue is full."""

_WORDS = {
    404: "there is nothing at {path}",
    405: "{path} does not take {method}; see Allow",
    408: "the body did not arrive in time",
    413: "the body is larger than {limit} bytes",
}

log = structlog.get_logger(__name__)


def answer(value: object, status: int = 200, **headers: str) -> Answer:
    """Return `value` as JSON; an underscore in a header's name stands for a hyphen."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return (
        msgspec.json.encode(value, enc_hook=write_plain),
        status,
        {"Content-Type": "application/json", **named},
    )


def answer_errors(app: QuartTrio, new_id: Callable[[], str]) -> None:
    """Have every error of `app` answered as JSON, and an unexpected one logged under an id."""

    @app.errorhandler(Exception)
    async def unexpected(error: Exception) -> Answer:
        reference = new_id()
        log.error(
            "a request failed",
            id=reference,
            method=request.method,
            path=request.path,
            exc_info=error,
        )
        return answer({"error": "internal error, see this node's log", "id": reference}, 500)

    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(QueueFull, _full)
    app.register_error_handler(StoreError, _store_away)
    app.register_error_handler(UsageError, _unusable)
    app.register_error_handler(WireError, _too_large)


async def _refused(error: HTTPException) -> Answer:
    headers = {name: text for name, text in error.get_headers() if name != "Content-Type"}
    return answer({"error": _describe(error)}, error.code or 500, **headers)


def _describe(error: HTTPException) -> str:
    words = _WORDS.get(error.code or 0)
    if words is None or error.description != type(error).description:
        return error.description or error.name
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    return words.format(path=request.path, method=request.method, limit=limit)


async def _full(error: QueueFull) -> Answer:
    log.warning("a request was turned away", path=request.path, reason=str(error))
    return answer({"error": f"the queue is full: {error}"}, 503, Retry_After=str(RETRY_SOON))


async def _store_away(error: StoreError) -> Answer:
    # The reason names our servers; that is for the log, not for whoever called.
    log.warning("a request needs Redis", path=request.path, reason=str(error))
    return answer({"error": "Redis is not available, try again"}, 503, Retry_After=str(RETRY_SOON))


async def _unusable(error: UsageError) -> Answer:
    return answer({"error": str(error)}, 400)


async def _too_large(error: WireError) -> Answer:
    return answer({"error": f"too large to be queued: {error}"}, 413)
