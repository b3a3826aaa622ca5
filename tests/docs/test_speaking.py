"""docs/speaking.md keeps its word: every example in it is run."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from hachat.bot.speaking import Speaking
from hachat.core.messages import Reply
from hachat.store.console import Said
from tests.bot.stage import Stage
from tests.bot.test_guide import blocks, make_handlers
from tests.docs.test_testing import run

PAGE = (Path(__file__).parents[2] / "docs" / "speaking.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
TOLD = [title for title, part in SECTIONS.items() if "```chat" in part]


@pytest.mark.parametrize("title", TOLD)
async def test_transcript(title: str) -> None:
    """The conversation shown in a section is the one its handlers have, as a console shows it."""
    (chat,) = blocks(SECTIONS[title], "chat")
    stage, seen = Stage(*make_handlers(SECTIONS[title])), []
    for line in chat.splitlines():
        if not line.startswith("hachat"):
            user, _, text = line.partition(": ")
            before = len(stage.replies)
            await stage.say(text, user=user)
            seen += [line, *map(show, stage.replies[before:])]

    assert seen == chat.splitlines()


async def test_handlers_without_a_transcript() -> None:
    """They can be declared as they stand."""
    for title in SECTIONS.keys() - set(TOLD) - {"Other services"}:
        Stage(*make_handlers(SECTIONS[title]))


def test_the_weather(tmp_path: Path) -> None:
    """The test that the page proposes passes as it stands, behind the handler."""
    done = run(tmp_path, "\n".join(blocks(SECTIONS["Other services"], "python")))
    assert done.returncode == 0, done.stdout


def test_every_verb_is_told_of() -> None:
    """The table at the top has them all, and no others."""
    table = PAGE.partition("\n## ")[0]
    methods = {name for name, value in vars(Speaking).items() if inspect.isfunction(value)}
    verbs = {name for name in methods if not name.startswith("_")}

    assert {name for name in verbs if f"`ctx.{name}(" in table} == verbs


def show(reply: Reply) -> str:
    """Return a line of the transcript."""
    text = Said(reply.op, reply.text or reply.args.get("name", "")).line
    return f"hachat: {text}" if reply.room == "test/#room" else f"hachat in {reply.room}: {text}"
