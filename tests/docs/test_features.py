"""docs/features.md keeps its word: each row is explained on a page and shown by a test, or says that it is not there yet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "features.md").read_text().splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_no_row_is_missing() -> None:
    """They are numbered from 1 to 45."""
    assert [int(row[0]) for row in ROWS] == list(range(1, 46))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_has_a_page_and_a_test(row: list[str]) -> None:
    """Which exist; without them it is not there at all yet."""
    _, what, _, pages, tests = row
    if what.startswith("not yet") and not pages:
        return
    assert re.search(r"\]\([^)]+\)", pages), "no page explains it"
    named = re.findall(r"`(tests/[\w./]+)`", tests)
    assert named, "no test shows it"
    for test in named:
        assert (ROOT / test).is_file(), test
