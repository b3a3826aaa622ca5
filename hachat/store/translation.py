"""What Redis's errors mean for a caller: away, busy, or a refusal."""

from __future__ import annotations

import re
from typing import Any

import redis.exceptions

from hachat.core.errors import StoreError, StoreRefused, StoreUnavailable
from hachat.store.stream import UNSENDABLE

_ELSEWHERE = frozenset(
    ("READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "CLUSTERDOWN", "UNBLOCKED")
)
"""First words of answers that mean: this is not, or not now, the server that takes our writes."""

_LATER = frozenset(("BUSY", "TRYAGAIN"))
"""First words of answers that mean: this is the right server, and it has done nothing yet."""

_IN_SCRIPT = re.compile(r"Error running script .*?-([A-Z]+) ")
"""Where Redis before 7.0 hides the first word of an error that a script met."""

_LOGIN = (redis.exceptions.AuthenticationError, redis.exceptions.AuthorizationError)

UNSENT = (redis.exceptions.DataError, *UNSENDABLE)
"""A command that cannot be put into bytes: nothing of its batch was sent."""


class StoreBusy(StoreUnavailable):
    """The server has no time now and did nothing; another connection would hear the same."""


def translate(error: Exception) -> StoreError:
    """Return the error of ours that says what `error` means for the caller."""
    ours = _meaning(error)
    ours.__cause__ = error
    return ours


def unwrap(outcome: Any) -> Any:
    """Return a reply of `Client.ask`, or raise the error in its place.

    Raises:
        StoreUnavailable: no answer; whether it was carried out is unknown.
        StoreRefused: Redis said no.
    """
    if isinstance(outcome, Exception):
        raise outcome if isinstance(outcome, StoreError) else translate(outcome)
    return outcome


def refusal(answer: Any) -> StoreError | None:
    """Return the error that stands for one of several answers of a script, if it is one."""
    return translate(answer) if isinstance(answer, Exception) else None


def translated(outcome: Any) -> Any:
    """Return an outcome with our error in the place of redis-py's; NOSCRIPT stays, for whoever has the script's text."""
    if isinstance(outcome, Exception) and not isinstance(outcome, redis.exceptions.NoScriptError):
        return translate(outcome)
    return outcome


def timed_out(outcome: Any) -> bool:
    """Return whether the server was silent; it is, then, for everybody else too."""
    cause = outcome.__cause__ if isinstance(outcome, StoreUnavailable) else None
    return isinstance(cause, redis.exceptions.TimeoutError)


def makes_leave(outcome: Any) -> bool:
    """Return whether the connection that said so is better left, and the master looked for anew."""
    return isinstance(outcome, StoreUnavailable) and not isinstance(outcome, StoreBusy)


def _meaning(error: Exception) -> StoreError:
    if isinstance(error, _LOGIN):
        return StoreRefused(f"Redis refused the login: {error}")
    if isinstance(error, UNSENT):
        return StoreRefused(f"the command cannot be sent to Redis: {error}")
    if not isinstance(error, redis.exceptions.ResponseError):
        return StoreUnavailable(f"Redis is not available: {error}")
    word, text = _split(error)
    if word in _ELSEWHERE:
        return StoreUnavailable(f"Redis is not available: {text}")
    if word in _LATER:
        return StoreBusy(f"Redis is busy: {text}")
    return StoreRefused(f"Redis refused: {text}")


def _split(error: redis.exceptions.ResponseError) -> tuple[str, str]:
    # redis-py cuts the first word off the errors it knows and leaves it in front of the others.
    text = str(error)
    if error.status_code:
        text = f"{error.status_code} {text}"
    hidden = _IN_SCRIPT.search(text)
    return hidden[1] if hidden else text.partition(" ")[0], text
