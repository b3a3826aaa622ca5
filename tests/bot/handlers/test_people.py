"""Whom the bot has met, as it tells in chat."""

from __future__ import annotations

import re

from hachat.bot.handlers.people import MOST, People
from tests.bot.stage import Stage

SEEN = re.compile(r", last seen \d{4}-\d\d-\d\d \d\d:\d\d UTC")


async def ask(stage: Stage, text: str) -> str:
    """Return the answer without the times."""
    (answer,) = await stage.say(text)
    return SEEN.sub("", answer)


async def test_users_are_found() -> None:
    """Everybody who is called that, or whose name begins like that."""
    stage = Stage(People())
    for user in ("bob", "bobby", "carl"):
        await stage.say("hello", user=user)

    assert await ask(stage, "hachat users find bob") == "bob\nbobby"
    assert await ask(stage, "hachat user find @CARL") == "carl"
    assert await ask(stage, "hachat users find dora") == "I know no user called dora."


async def test_rooms_are_listed() -> None:
    """Those people can see, all or some."""
    stage = Stage(People())
    await stage.say("hello", room="test/#ops")
    await stage.say("hello", room="test/bob", private=True)
    await stage.say("hello", room="other/#ops")

    assert await ask(stage, "hachat rooms") == "#ops\n#room"
    assert await ask(stage, "hachat rooms op") == "#ops"
    assert await ask(stage, "hachat rooms x") == "I know no room called x."


async def test_long_lists_are_cut() -> None:
    """A list that is too long for a chat says so."""
    stage = Stage(People())
    for number in range(MOST + 1):
        await stage.say("hello", user=f"user{number}")

    lines = (await ask(stage, "hachat users find user")).splitlines()
    assert len(lines) == MOST + 1
    assert lines[-1] == "There are more; write more of the name."
