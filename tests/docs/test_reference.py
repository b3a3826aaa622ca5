"""docs/reference.md says what the docstrings say."""

from __future__ import annotations

import hachat
from tests.docs.reference import PAGE, write


def test_the_page_is_written_anew() -> None:
    """Whoever changes a docstring runs `make reference`."""
    assert PAGE.read_text() == write()


def test_everything_public_is_in_it() -> None:
    """With a docstring."""
    page = write()
    for name in hachat.__all__:
        if not name.startswith("_"):
            (after,) = [part for part in page.split(f"\n## `{name}")[1:] if part[0] in "`("]
            assert len(after.splitlines()[2]) > 10, name
