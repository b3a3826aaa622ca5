"""Who may use the API: whoever brings the node's token along, for all that changes something.

Dead letters and the audit trail hold what people wrote, so once there is a token it is needed for reading them too.
"""

from __future__ import annotations

from hmac import compare_digest

from quart import Blueprint, request

from hachat.web.responses import Answer, answer

_READING = {"GET", "HEAD", "OPTIONS"}
_PRIVATE = ("/dead", "/audit")
_CLOSED = (
    "this node has no web.token in its settings, so nothing can be changed through it;"
    " set web.token or web.token_file"
)


def require_token(api: Blueprint, token: str) -> None:
    """Have every request to `api` refused that needs `token` and has not got it.

    Without a token, what changes something is refused to all: 403.
    """

    @api.before_request
    async def check() -> Answer | None:
        reading = request.method in _READING
        private = request.path.removeprefix(api.url_prefix or "").startswith(_PRIVATE)
        if reading and not (private and token):
            return None
        if not token:
            return answer({"error": _CLOSED}, 403)
        if _is_shown(token):
            return None
        error = {"error": "this needs the header Authorization: Bearer TOKEN, with web.token"}
        return answer(error, 401, WWW_Authenticate='Bearer realm="hachat"')


def _is_shown(token: str) -> bool:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    same = compare_digest(shown.strip().encode("latin-1", "replace"), token.encode())
    return same and scheme.lower() == "bearer"
