"""What must not be printed: values whose names call them secret, and logins inside URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "****"
"""What is printed instead of a secret."""

_WORDS = r"(?:password|passwd|passphrase|secret|token|api_?key|private_?key|authorization|cookie)s?"
_SECRET_NAME = re.compile(rf"{_WORDS}$", re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)[^/?#\s'\"]+@")
_QUERY = re.compile(rf"([?&]\w*{_WORDS}=)[^&#\s'\"]+", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Tell whether `name` says that its value is a secret: `password`, `sentinel_password`, `apiKey`."""
    return _SECRET_NAME.search(name) is not None


def mask_text(text: str) -> str:
    """Return `text` without the logins and secret parameters of the URLs in it."""
    return _QUERY.sub(rf"\g<1>{MASK}", _LOGIN.sub(f"{MASK}@", text))


def mask(value: object) -> Any:
    """Return `value` as plain data in which no secret is left; one that is not set stays as it is."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {
            key: MASK if inner and is_secret(str(key)) else mask(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [mask(inner) for inner in value]
    if value is None or isinstance(value, int | float):
        return value
    return mask_text(repr(value))
