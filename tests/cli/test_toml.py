"""What is written is TOML, and reads as what it was."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.cli.toml import write

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
LEAVES = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9) | TEXTS
VALUES = LEAVES | st.lists(LEAVES | st.dictionaries(TEXTS, LEAVES, max_size=3), max_size=3)
TABLES = st.recursive(
    st.dictionaries(TEXTS, VALUES, max_size=4),
    lambda inner: st.dictionaries(TEXTS, VALUES | inner, max_size=4),
    max_leaves=6,
)


@given(TABLES)
def test_what_is_written_reads_as_it_was(table: dict[str, Any]) -> None:
    """Whatever the keys are: one with an umlaut, or none at all, stands in quotes."""
    assert tomllib.loads("\n".join(write(table))) == table


@pytest.mark.parametrize("key", ["", "ä", "a b", "a.b", '"', "²"])
def test_strange_keys_stand_in_quotes(key: str) -> None:
    """Of values and of tables."""
    table = {key: 1, "t": {key: {key: 2}}}
    assert tomllib.loads("\n".join(write(table))) == table


def test_what_is_not_set_is_left_out() -> None:
    """TOML has no word for it."""
    assert list(write({"a": None, "b": 1})) == ["b = 1"]
