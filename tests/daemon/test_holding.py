"""The file that says what a daemon holds is kept true while it lives."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hachat.core.settings import Settings
from hachat.daemon.holding import Holder
from hachat.daemon.lease_file import introduce, read

SETTINGS = Settings(node="n1")


def test_a_node_notes_its_terms(tmp_path: Path) -> None:
    """Between its terms the file says who lives, in a term also the token, and in the end it is gone."""
    file = tmp_path / "lease"
    holder = Holder(file, SETTINGS, "b1")

    holder.note("n1/b1/0.1")
    assert read(file) == introduce(SETTINGS, "b1")._replace(token="n1/b1/0.1")
    holder.note("")
    assert read(file) == introduce(SETTINGS, "b1")
    holder.remove()
    holder.remove()
    assert read(file) is None


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    """A node serves without it."""
    holder = Holder(tmp_path / "missing" / "lease", SETTINGS, "b1")

    with capture_logs() as logs:
        holder.note("")

    assert [entry["log_level"] for entry in logs] == ["warning"]


def test_without_a_runtime_directory_there_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that nobody gave a place to write does not choose one."""
    monkeypatch.chdir(tmp_path)
    holder = Holder(None, SETTINGS, "b1")

    holder.note("n1/b1/0.1")
    holder.remove()

    assert list(tmp_path.iterdir()) == []
