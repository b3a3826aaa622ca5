"""A step-down as it is ordered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A step-down as somebody wants it: in favour of `to`, or of anybody.

    The leaver may not become master again for `hold` seconds.  With `force` it leaves although no successor is ready.
    """

    to: str = ""
    reason: str = "step-down"
    by: str = ""
    hold: float = 0.0
    force: bool = False
