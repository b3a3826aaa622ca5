"""Groups, as admins keep them in chat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import pytest

from hachat.bot.access import Access, TransientGroups
from hachat.bot.handlers.auth import Auth
from hachat.core.access import AccessSettings
from hachat.core.errors import GroupsFull, StoreUnavailable
from hachat.store.groups import Key, Membership
from tests.bot.stage import Stage

SETTINGS = AccessSettings(admins=("test/root",), groups={"ops": ("test/ada",)})


@pytest.fixture
async def stage() -> Stage:
    """A bot that has met bob."""
    stage = Stage(Auth(), access=Access(SETTINGS))
    await stage.say("hello", user="bob")
    return stage


async def ask(stage: Stage, text: str) -> str:
    """Return what an admin is told, without times."""
    (said,) = await stage.say(f"hachat {text}", user="root")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "WHEN", said)


async def test_members_come_and_go(stage: Stage) -> None:
    """Each change is told, also that there was nothing to change."""
    assert await ask(stage, "auth add @Bob Dev") == "test/bob is in dev now."
    assert await ask(stage, "auth add bob dev") == "test/bob is in dev already."
    assert await ask(stage, "auth remove bob dev") == "test/bob is not in dev any more."
    assert await ask(stage, "auth remove bob dev") == "test/bob was not in dev."


async def test_groups_are_listed(stage: Stage) -> None:
    """With who is in them and who said so."""
    await ask(stage, "auth add bob dev")

    dev = "dev: test/bob (added by test/root WHEN)"
    assert await ask(stage, "auth list") == (
        f"admins: test/root (settings)\n{dev}\nops: test/ada (settings)"
    )
    assert await ask(stage, "auth list DEV") == dev
    assert await ask(stage, "auth list x") == "Nobody is in x."


async def test_only_admins_keep_groups(stage: Stage) -> None:
    """A member of another group may not even look."""
    for text in ("auth add bob ops", "auth remove ada ops", "auth list"):
        said = await stage.say(f"hachat {text}", user="ada")
        assert said == ["You may not do that: it is for admins."]


async def test_nobody_is_added_by_mistake(stage: Stage) -> None:
    """The beginning of a name is not enough, and somebody who was never met needs an address."""
    assert await ask(stage, "auth add bo ops") == (
        "Do you mean bob? Write the whole name, or the id."
    )
    assert await ask(stage, "auth add carl ops") == "I know no user called carl."
    assert await ask(stage, "auth add test/carl ops") == "test/carl is in ops now."
    assert await ask(stage, "auth add test/* ops") == "I know no user called test/*."


@pytest.mark.parametrize("group", ["admins", "ADMINS", "a|b", "ä"])
async def test_odd_groups_are_refused(stage: Stage, group: str) -> None:
    """Admins are made in the settings alone, and a group has a plain name."""
    said = await ask(stage, f"auth add bob {group}")

    assert said.startswith(("Admins are named in my settings", "A group's name has a-z"))
    assert "bob" not in await ask(stage, "auth list")


async def test_members_of_the_settings_stay(stage: Stage) -> None:
    """Nobody believes that somebody is out who is not."""
    assert await ask(stage, "auth remove test/ada ops") == (
        "test/ada is in ops by my settings, which only they can change."
    )


class Broken(TransientGroups):
    """Groups that fail."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def read(self) -> Mapping[Key, Membership]:
        """Fail."""
        raise self.error

    async def change(self, what: Literal["add", "remove"], group: str, user: str, by: str) -> bool:
        """Fail."""
        raise self.error


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("auth list", StoreUnavailable("no answer"), "Redis does not answer me"),
        ("auth add test/bob ops", StoreUnavailable("no answer"), "Redis does not answer me"),
        ("auth add test/bob ops", GroupsFull("too many"), "too many"),
    ],
)
async def test_what_goes_wrong_is_told(text: str, error: Exception, said: str) -> None:
    """In a sentence, and without another try."""
    stage = Stage(Auth(), access=Access(SETTINGS, Broken(error)))

    assert (await ask(stage, text)).startswith(said)
