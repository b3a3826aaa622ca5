"""How loudly to say that Redis did not do what it was asked."""

from __future__ import annotations

from typing import Any

from hachat.core.errors import StoreError, StoreUnavailable


def report(log: Any, event: str, error: StoreError, **facts: Any) -> None:
    """Log a refusal as a warning; of a Redis that is away the heartbeat tells once, everybody else in whispers."""
    tell = log.debug if isinstance(error, StoreUnavailable) else log.warning
    tell(event, error=str(error), **facts)
