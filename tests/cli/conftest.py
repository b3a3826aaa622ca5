"""A place to run commands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from hachat.store.embedded import Server
from hachat.store.keys import Keys
from tests.cli.running import Place


@pytest.fixture
def place(tmp_path: Path, server: Server, keys: Keys) -> Place:
    """Settings for a cluster that no other test uses."""
    return Place(tmp_path, server, keys)
