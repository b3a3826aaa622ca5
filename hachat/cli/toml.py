"""Settings written as the TOML that reads as them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def write(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield plain data as lines of TOML."""
    for key, value in table.items():
        if not isinstance(value, Mapping) and value is not None:
            yield f"{_quote(key)} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            inner = f"{path}.{_quote(key)}" if path else _quote(key)
            yield from ("", f"[{inner}]", *write(value, inner))


def _quote(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() else json.dumps(key)
