"""Settings written as the TOML that reads as them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
"""Keys that need no quotes."""


def write(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield plain data as lines of TOML."""
    for key, value in table.items():
        if not isinstance(value, Mapping) and value is not None:
            yield f"{_quote(key)} = {_show(value)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            inner = f"{path}.{_quote(key)}" if path else _quote(key)
            yield from ("", f"[{inner}]", *write(value, inner))


def _show(value: object) -> str:
    """Return a value on one line; a table in a list stands in braces."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_quote(key)} = {_show(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_show, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _quote(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)
