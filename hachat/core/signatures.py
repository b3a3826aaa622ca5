"""Who sent a webhook: signatures that only those can make who know a secret.

GitHub: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries; Slack:
https://api.slack.com/authentication/verifying-requests-from-slack; `hmac` is GitHub's under a header of its own, for everybody else.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Literal, get_args

from hachat.core.errors import Unsigned

Scheme = Literal["github", "slack", "hmac"]

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

WINDOW = 300.0
"""Seconds by which the time in a signature may differ from ours: an old request cannot be sent again."""

_HEADERS = {
    "github": "X-Hub-Signature-256",
    "slack": "X-Slack-Signature",
    "hmac": "X-Signature-256",
}
_TIME = "X-Slack-Request-Timestamp"


def sign(secret: str, content: bytes) -> str:
    """Return the HMAC of `content` with SHA-256, in hexadecimal digits."""
    return hmac.new(secret.encode(), content, sha256).hexdigest()


def make_headers(scheme: Scheme, secret: str, body: bytes, now: float) -> dict[str, str]:
    """Return the headers with which a service that knows `secret` sends `body` at `now`, Unix seconds."""
    if scheme == "slack":
        sent = str(int(now))
        return {_TIME: sent, _HEADERS[scheme]: _write(scheme, secret, body, sent)}
    return {_HEADERS[scheme]: _write(scheme, secret, body)}


def verify(
    scheme: Scheme, secret: str, headers: Mapping[str, str], body: bytes, now: float
) -> None:
    """Refuse a request whose signature is not that of `body` by whoever knows `secret`.

    The names of `headers` are in lower case; `now` is Unix seconds.

    Raises:
        Unsigned: the signature is missing, is another's, or is too old.
    """
    name = _HEADERS[scheme]
    given = headers.get(name.lower(), "")
    if not given:
        raise Unsigned(f"the header {name} is missing")
    sent = headers.get(_TIME.lower(), "")
    if scheme == "slack" and (not sent.isdecimal() or abs(now - int(sent)) > WINDOW):
        raise Unsigned(f"the header {_TIME} is not a time within {WINDOW:g} s of ours")
    expected = _write(scheme, secret, body, sent)
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise Unsigned(f"the header {name} is not the signature of this body")


def _write(scheme: Scheme, secret: str, body: bytes, sent: str = "") -> str:
    """Return the signature as the header has it; Slack's holds for the time at which it was `sent`, too."""
    if scheme == "slack":
        return f"v0={sign(secret, b'v0:%s:%s' % (sent.encode(), body))}"
    return f"sha256={sign(secret, body)}"
