"""docs/wire.md names whatever travels."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from hachat.core.messages import Event, Job, Message, Reply, Webhook
from hachat.core.wire import VERSION
from hachat.store.members import LAYOUT
from hachat.store.scripts import load
from tests.store.test_scripts import NAMES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "wire.md").read_text()
NAMED = set(re.findall(r"`(\w+)`", PAGE))


@pytest.mark.parametrize("kind", [Message, Webhook, Job, Event, Reply])
def test_every_field_is_named(kind: type[msgspec.Struct]) -> None:
    """Whoever writes a worker finds each field of each envelope on the page."""
    fields = {field.encode_name for field in msgspec.structs.fields(kind)}

    assert fields - NAMED == set()


def test_every_schema_is_told_of() -> None:
    """A new schema cannot be forgotten, nor a new layout."""
    rows = re.findall(r"^\| (\d+) \| \d", PAGE, re.MULTILINE)

    assert [int(row) for row in rows] == list(range(1, VERSION + 1))
    assert LAYOUT == 1


def test_every_step_of_the_trail_is_told_of() -> None:
    """Which scripts note what stands on the page, and what that means on the page of the command."""
    noted = {
        script: set(re.findall(r"`(\w+)`", steps))
        for scripts, steps in re.findall(r"^\| (`\w+\.lua`.*) \| (.*) \|$", PAGE, re.MULTILINE)
        for script in re.findall(r"`(\w+)\.lua`", scripts)
    }
    texts = {name: load(name).text for name in NAMES}
    assert noted.keys() == {name for name, text in texts.items() if "10000, '*'" in text}
    for script, steps in noted.items():
        for step in steps:
            assert re.search(rf"'{step}'|\b{step} = {{}}", texts[script]), (script, step)

    rows = re.findall(r"^\| (`.*`) \| .* \|$", (DOCS / "command-line.md").read_text(), re.MULTILINE)
    explained = {step for row in rows for step in re.findall(r"`(\w+)`", row)}
    assert set().union(*noted.values()) <= explained
