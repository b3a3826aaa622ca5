"""What is about an open question, and what is something else."""

from __future__ import annotations

import msgspec
import pytest

from hachat.bot.hearing import Hearing, find_lapses, is_meant
from hachat.core.messages import Dialog, Message, Room, User
from hachat.store.dialogs import Question, make_expiry

ABOUT = Message("m1/h.ask/1", Room("test", "ops"), User("alice"), "hi", 1.0, dialog=Dialog("m1", 1))


def question(user: str) -> Question:
    """Return one that asks for a yes."""
    return Question(ABOUT.id, ABOUT, user, words=("yes", "no"), seconds=60.0)


@pytest.mark.parametrize(
    ("user", "said", "called", "is_command", "meant"),
    [
        ("alice", "perhaps", False, False, True),
        ("alice", "hachat ping", True, True, False),
        ("alice", "Yes.", True, True, True),
        ("alice", "never  mind", True, True, True),
        ("", "perhaps", False, False, False),
        ("", "perhaps", True, False, True),
        ("", "YES", False, False, True),
        ("", "cancel", False, False, True),
    ],
)
def test_what_is_meant_for_a_question(
    *, user: str, said: str, called: bool, is_command: bool, meant: bool
) -> None:
    """The words it asks for always are, a command never, other words only from who was asked, or to the bot."""
    assert is_meant(question(user), said, called=called, is_command=is_command) is meant


async def permit(_message: Message, _groups: frozenset[str]) -> bool:
    """Let everybody answer."""
    return True


@pytest.mark.parametrize(
    ("asked_by", "user", "by", "may"),
    [
        ("", "bob", "", True),
        ("", "alice", "", False),
        ("", "bob", "test/alice", False),
        ("test/bob", "bob", "", False),
        ("test/carl", "bob", "test/carl", False),
        ("test/carl", "bob", "", True),
    ],
)
async def test_nobody_is_somebody_else_to_themselves(
    *, asked_by: str, user: str, by: str, may: bool
) -> None:
    """Where another person has to answer, speaking in the name of one is not enough."""
    about = msgspec.structs.replace(ABOUT, by=asked_by)
    asked = Question(about.id, about, words=("yes", "no"), but="alice")
    answer = Message("m2", about.room, User(user), "yes", 2.0, by=by)
    hearing = Hearing(asked, answer, "yes", permit)

    await hearing.run()

    assert (hearing.closing is not None) is may


def test_a_question_lapses_that_is_still_open() -> None:
    """Another one in its place does not."""
    asked = question("alice")
    job = make_expiry(asked, 61.0)

    assert len(find_lapses(job, [asked])) == 1
    assert find_lapses(job, []) == []
    assert find_lapses(make_expiry(Question("m9/h.ask/1", ABOUT), 61.0), [asked]) == []
