"""docs/memory.md and docs/access.md keep their word: every example in them is run, and says what it is said to say."""

from __future__ import annotations

import tomllib
from pathlib import Path

from hachat.bot.access import Access
from hachat.bot.handlers.auth import Auth
from hachat.core.settings import build
from tests.bot.stage import Stage
from tests.bot.test_guide import blocks, make_handlers, perform

DOCS = Path(__file__).parents[2] / "docs"
MEMORY = (DOCS / "memory.md").read_text()
ACCESS = (DOCS / "access.md").read_text().replace("irc/", "test/")
"""As if the service of the stage were the one of the page."""


async def check(stage: Stage, page: str) -> None:
    """Have the conversations of a page, and compare."""
    said, expected = "".join(blocks(page, "chat")).splitlines(), []
    for line in said:
        if not line.startswith("hachat:"):
            expected += [line, *await perform(stage, line)]
    assert len(said) > 4
    assert expected == said


async def test_memory() -> None:
    """The handlers remember what the page says."""
    await check(Stage(*make_handlers(MEMORY)), MEMORY)


async def test_access() -> None:
    """With these settings these people may do that."""
    (settings,) = blocks(ACCESS, "toml")
    access = Access(build(tomllib.loads(settings), origin="the page").access)

    await check(Stage(*make_handlers(ACCESS), Auth(), access=access), ACCESS)
