"""Memory that ends with the process: for a robot without a cluster, as on a stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from hachat.store.memory import Change, Changed


class TransientMemory:
    """A `Storage` in this process; it has no limits but those of `ctx.memory`."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._values: defaultdict[str, dict[str, tuple[bytes, float]]] = defaultdict(dict)

    async def read(self, handler: str, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values under `keys`, None where there is nothing."""
        return [self._read(handler, key) for key in keys]

    async def list_keys(self, handler: str, prefix: str = "") -> list[str]:
        """Return the keys that begin with `prefix`, sorted."""
        found = (key for key in self._values[handler] if key.startswith(prefix))
        return sorted(key for key in found if self._read(handler, key) is not None)

    async def change(self, handler: str, change: Change) -> Changed:
        """Do `change`."""
        old = self._read(handler, change.key)
        if change.how == "replace" and old != change.expected:
            return Changed(done=False, value=old)
        if change.how == "delete":
            self._values[handler].pop(change.key, None)
            return Changed(done=True, value=old)
        value = change.value
        if change.how == "add":
            if not (old or b"0").removeprefix(b"-").isdigit():
                return Changed(done=False, value=old)
            value = str(int(old or 0) + int(value)).encode()
        self._values[handler][change.key] = value, self._find_end(handler, change, old)
        return Changed(done=True, value=value)

    def _read(self, handler: str, key: str) -> bytes | None:
        value, end = self._values[handler].get(key, (None, 0.0))
        return None if end and end <= self._now() else value

    def _find_end(self, handler: str, change: Change, old: bytes | None) -> float:
        if change.life is None:
            return self._values[handler][change.key][1] if old is not None else 0.0
        return self._now() + change.life if change.life else 0.0
