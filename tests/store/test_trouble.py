"""How loudly trouble with Redis is told."""

from __future__ import annotations

import pytest
import structlog

from hachat.core.errors import StoreError, StoreRefused, StoreUnavailable
from hachat.store.trouble import report

log = structlog.get_logger(__name__)


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (StoreUnavailable("no answer"), "debug"),
        (StoreRefused("OOM"), "warning"),
        (StoreError("odd"), "warning"),
    ],
)
def test_a_redis_that_is_away_is_whispered_of(error: StoreError, level: str) -> None:
    """Of that the heartbeat tells once; what Redis refuses concerns whoever hears of it here and is a warning."""
    with structlog.testing.capture_logs() as lines:
        report(log, "cannot read", error, lane="chat")

    assert lines == [
        {"event": "cannot read", "log_level": level, "error": str(error), "lane": "chat"}
    ]
