"""A step-down as it is ordered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hachat.core.errors import StepDownRefused
from hachat.core.phrases import Phrase


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


def not_alive(node: str, others: Sequence[str]) -> StepDownRefused:
    """Return why `node` cannot take over, of which nobody hears anything; `others` could."""
    return StepDownRefused(
        Phrase(
            "{node} is not alive, so it cannot take over; alive are {others}",
            node=node,
            others=", ".join(others) or Phrase("no others"),
        ),
        "ineligible",
    )
