"""How long to wait before trying again."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def backoff(base: float, cap: float, random: Callable[[], float]) -> Iterator[float]:
    """Yield waits in seconds that double from `base` to `cap`, each jittered down by up to a half.

    The jitter keeps nodes that failed together from coming back together.
    """
    wait = base
    while True:
        yield wait * (0.5 + random() / 2)
        wait = min(cap, wait * 2)
