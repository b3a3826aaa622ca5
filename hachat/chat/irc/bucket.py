"""How fast lines may go out."""

from __future__ import annotations

_ROUNDING = 1e-9


class Bucket:
    """`burst` tokens at once, then one each `interval` seconds; callers pass the time."""

    def __init__(self, burst: int, interval: float) -> None:
        self._burst = burst
        self._interval = interval
        self._tokens = float(burst)
        self._at = float("-inf")

    def take(self, wanted: int, now: float) -> int:
        """Take up to `wanted` tokens, a whole burst's worth or none, and return how many."""
        self._fill(now)
        part = min(wanted, self._burst)
        if self._tokens < part - _ROUNDING:
            return 0
        self._tokens -= part
        return part

    def wait(self, wanted: int, now: float) -> float:
        """Return the seconds until `take(wanted)` gives some."""
        self._fill(now)
        return max(0.0, (min(wanted, self._burst) - self._tokens) * self._interval)

    def _fill(self, now: float) -> None:
        self._tokens = min(float(self._burst), self._tokens + (now - self._at) / self._interval)
        self._at = now
