"""A real IRC server for each test that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chat.ngircd import Ngircd, run_ngircd


@pytest.fixture
def ngircd(tmp_path: Path) -> Iterator[Ngircd]:
    """An ngircd of the test's own, to be killed at will."""
    with run_ngircd(tmp_path / "ngircd") as running:
        yield running
