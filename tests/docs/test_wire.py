"""docs/wire.md names whatever travels."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from hachat.core.messages import Job, Message, Reply, Webhook
from hachat.core.wire import VERSION
from hachat.store.members import LAYOUT

PAGE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()
NAMED = set(re.findall(r"`(\w+)`", PAGE))


@pytest.mark.parametrize("kind", [Message, Webhook, Job, Reply])
def test_every_field_is_named(kind: type[msgspec.Struct]) -> None:
    """Whoever writes a worker finds each field of each envelope on the page."""
    fields = {field.encode_name for field in msgspec.structs.fields(kind)}

    assert fields - NAMED == set()


def test_every_schema_is_told_of() -> None:
    """A new schema cannot be forgotten, nor a new layout."""
    rows = re.findall(r"^\| (\d+) \| \d", PAGE, re.MULTILINE)

    assert [int(row) for row in rows] == list(range(1, VERSION + 1))
    assert LAYOUT == 1
